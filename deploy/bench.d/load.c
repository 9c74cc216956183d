// A load generator for one webhook endpoint on loopback: keep-alive connections, each with one request under way, every
// request another event. All signatures are computed before the clock starts. Prints one line of JSON.
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 2000000, GRACE = 10 };  // latencies to the microsecond up to 2 s; seconds to wait for the last answers

struct connection {
  int descriptor;
  int busy;
  int64_t began;
  size_t sent, received;
  char *request;
  char answer[4096];
};

static uint32_t latencies[SLOTS];
static uint64_t answered, in_time, ok, accepted, duplicate, refused, broken;
static int64_t longest, deadline;
static struct plan plan;
static uint64_t next_event;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void transmit(struct connection *connection) {
  while (connection->sent < plan.sample.length) {
    ssize_t count = send(connection->descriptor, connection->request + connection->sent,
                         plan.sample.length - connection->sent, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno != EAGAIN) broken++, connection->busy = 0, close(connection->descriptor);
      return;
    }
    connection->sent += (size_t)count;
  }
}

static void begin(struct connection *connection) {
  connection->busy = next_event < plan.count && now() < deadline;
  if (!connection->busy) return;
  plan_fill(&plan, connection->request, next_event++);
  connection->sent = connection->received = 0;
  connection->began = now();
  transmit(connection);
}

// Whether the whole answer is there; then its status, and its body by `body`.
static int parse(struct connection *connection, int *status, const char **body) {
  connection->answer[connection->received] = 0;
  const char *end = strstr(connection->answer, "\r\n\r\n");
  if (!end) return 0;
  const char *length = strcasestr(connection->answer, "\r\ncontent-length:");
  *status = atoi(connection->answer + sizeof "HTTP/1.1");
  *body = end + 4;
  size_t wanted = length && length < end ? strtoul(length + sizeof "\r\ncontent-length:" - 1, NULL, 10) : 0;
  return connection->received >= (size_t)(*body - connection->answer) + wanted;
}

static void receive(struct connection *connection) {
  ssize_t count = recv(connection->descriptor, connection->answer + connection->received,
                       sizeof connection->answer - 1 - connection->received, 0);
  if (count <= 0) {
    if (count < 0 && errno == EAGAIN) return;
    broken += (uint64_t)connection->busy;
    connection->busy = 0;
    close(connection->descriptor);
    return;
  }
  connection->received += (size_t)count;
  int status;
  const char *body;
  if (!parse(connection, &status, &body)) return;
  int64_t end = now(), took = (end - connection->began) / 1000;
  latencies[took < SLOTS ? took : SLOTS - 1]++;
  if (took > longest) longest = took;
  answered++;
  in_time += end <= deadline;
  if (status == 200) {
    ok++;
    accepted += strstr(body, "\"accepted\"") != NULL;
    duplicate += strstr(body, "\"duplicate\"") != NULL;
  } else {
    refused += status < 200 || status > 299;
  }
  begin(connection);
}

static double percentile(double share) {
  uint64_t rank = (uint64_t)((double)answered * share), seen = 0;
  for (size_t slot = 0; slot < SLOTS; slot++)
    if ((seen += latencies[slot]) > rank) return (double)slot / 1000;
  return (double)longest / 1000;
}

static int dial(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
  if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address)) {
    perror("error: connect");
    exit(1);
  }
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  fcntl(descriptor, F_SETFL, O_NONBLOCK);
  return descriptor;
}

static void usage(void) {
  fprintf(stderr,
          "usage: load --port N --secret S --sample FILE [--path P] [--scheme invoiced|standard-webhooks]\n"
          "  [--connections N] [--seconds N | --count N] [--ids rising|random] [--first N] [--customers N]\n"
          "  [--stamp N]\n");
  exit(64);
}

int main(int argc, char **argv) {
  enum { PORT = 1, SECRET, SAMPLE, PATH, SCHEME, CONNECTIONS, SECONDS, COUNT, IDS, FIRST, CUSTOMERS, STAMP_OPTION };
  static const struct option options[] = {
      {"port", 1, 0, PORT},       {"secret", 1, 0, SECRET},           {"sample", 1, 0, SAMPLE},
      {"path", 1, 0, PATH},       {"scheme", 1, 0, SCHEME},           {"connections", 1, 0, CONNECTIONS},
      {"seconds", 1, 0, SECONDS}, {"count", 1, 0, COUNT},             {"ids", 1, 0, IDS},
      {"first", 1, 0, FIRST},     {"customers", 1, 0, CUSTOMERS},     {"stamp", 1, 0, STAMP_OPTION},
      {0, 0, 0, 0}};
  struct request_options wanted = {.customers = 1, .stamp = 1767693600};
  const char *scheme = "invoiced";
  int connections = 64, option;
  double seconds = 0;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) switch (option) {
      case PORT: wanted.port = atoi(optarg); break;
      case SECRET: wanted.secret = optarg; break;
      case SAMPLE: wanted.sample = optarg; break;
      case PATH: wanted.path = optarg; break;
      case SCHEME: scheme = optarg; break;
      case CONNECTIONS: connections = atoi(optarg); break;
      case SECONDS: seconds = atof(optarg); break;
      case COUNT: wanted.count = strtoull(optarg, NULL, 10); break;
      case IDS: wanted.random = !strcmp(optarg, "random"); break;
      case FIRST: wanted.first = strtoull(optarg, NULL, 10); break;
      case CUSTOMERS: wanted.customers = strtoull(optarg, NULL, 10); break;
      case STAMP_OPTION: wanted.stamp = strtoull(optarg, NULL, 10); break;
      default: usage();
    }
  wanted.standard_webhooks = !strcmp(scheme, "standard-webhooks");
  if (!wanted.port || !wanted.secret || !wanted.sample || !wanted.customers) usage();
  if (connections < 1 || optind < argc) usage();
  if (!wanted.count) wanted.count = (uint64_t)((seconds ? seconds : 10) * 100000);
  if (!wanted.path) wanted.path = wanted.standard_webhooks ? "/callbacks/pms" : "/webhooks/invoiced";
  plan = plan_of(&wanted);

  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct connection *all = calloc((size_t)connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    all[i].descriptor = dial(wanted.port);
    all[i].request = malloc(plan.sample.length);
    memcpy(all[i].request, plan.sample.text, plan.sample.length);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &all[i]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].descriptor, &event);
  }
  int64_t began = now(), end = 0;
  deadline = seconds ? began + (int64_t)(seconds * 1e9) : INT64_MAX;
  for (int i = 0; i < connections; i++) begin(&all[i]);
  for (;;) {
    struct epoll_event events[256];
    int ready = epoll_wait(epoll, events, 256, 100), busy = 0;
    for (int i = 0; i < ready; i++) {
      struct connection *connection = events[i].data.ptr;
      if (connection->busy && connection->sent < plan.sample.length) transmit(connection);
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(connection);
    }
    int64_t time = now();
    if (time < deadline && next_event < plan.count) continue;
    if (!end) end = time;
    for (int i = 0; i < connections; i++) busy += all[i].busy;
    if (!busy || time > end + GRACE * 1000000000LL) {
      if (next_event >= plan.count) end = time;  // bounded by count: the clock runs to the last answer
      broken += (uint64_t)busy;
      break;
    }
  }
  if (end > deadline) end = deadline;
  double took = (double)(end - began) / 1e9;
  printf("{\"began\": %.6f, \"seconds\": %.3f, \"rate\": %.1f, \"body_bytes\": %zu, ", (double)began / 1e9, took,
         (double)in_time / took, plan.body_length);
  printf("\"p50_ms\": %.3f, \"p95_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, ", percentile(0.5), percentile(0.95),
         percentile(0.99), (double)longest / 1000);
  printf("\"sent\": %lu, \"answered\": %lu, \"ok\": %lu, \"accepted\": %lu, \"duplicate\": %lu, \"non_2xx\": %lu, "
         "\"broken\": %lu}\n",
         next_event, answered, ok, accepted, duplicate, refused, broken);
  return broken || refused ? 1 : 0;
}
