// Both sides of a synchronisation, as far as the benchmark needs them, on one loopback port: Invoiced under /invoiced,
// the PMS under /pms. A customer is its number and the stamp in its name, so a record takes 16 bytes.
//   sides PORT RECORDS CUSTOMERS
//     serves until SIGTERM; GET /bench counts the pushes, PUT /bench?stamp=N edits all customers in Invoiced,
//     PUT /bench?etags=0 makes the PMS one without ETags, PUT /bench?both=1 gives it all customers as Invoiced has them
//   sides PORT RECORDS CUSTOMERS --webhooks PORT SECRET ROUNDS
//     sends one webhook at a time and prints, as JSON, how long each took to become a push
// RECORDS is the directory of customer.json and pms-customer.json.
#include "load.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_SECONDS = 30, PAGE = 100 };

struct customer {
  uint32_t invoiced_stamp, pms_stamp;  // seconds; 0 in the PMS: not there
  int64_t pushed_at;
};

static struct customer *customers;
static size_t customer_count, creates, updates, others;
static int64_t first_push, last_push;
static struct sample invoiced_form, pms_form;
static int etags = 1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pushed = PTHREAD_COND_INITIALIZER;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void add_record(struct evbuffer *output, const struct sample *form, size_t index, uint32_t stamp) {
  sample_number(form, form->text, CUSTOMER, FIRST_CUSTOMER + index);
  sample_number(form, form->text, STAMP, stamp);
  evbuffer_add(output, form->text, form->length);
}

static void reply(struct evhttp_request *request, int status, struct evbuffer *body) {
  evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "application/json");
  evhttp_send_reply(request, status, status < 300 ? "OK" : "Not Found", body);
}

static int known(long index) { return index >= 0 && (size_t)index < customer_count; }

// The customer's state as an ETag; empty for a PMS without them.
static void etag_of(size_t index, char *text, size_t size) {
  *text = 0;
  if (etags && known((long)index)) snprintf(text, size, "\"%u\"", customers[index].pms_stamp);
}

static void reply_record(struct evhttp_request *request, const struct sample *form, size_t index, uint32_t stamp) {
  struct evbuffer *output = evbuffer_new();
  if (stamp) add_record(output, form, index, stamp);
  else evbuffer_add_printf(output, "{\"type\":\"invalid_request\",\"message\":\"no such customer\"}");
  reply(request, stamp ? 200 : 404, output);
  evbuffer_free(output);
}

// The number after `marker` in `text`, less `offset`; -1 where there is none.
static long number_after(const char *text, const char *marker, long offset) {
  const char *found = strstr(text, marker);
  if (!found) return -1;
  found += strlen(marker);
  return *found >= '0' && *found <= '9' ? strtol(found, NULL, 10) - offset : -1;
}

static long page_of(const char *uri) {
  long page = number_after(uri, "?page=", 0);
  return page > 0 ? page : number_after(uri, "&page=", 0);
}

static char *body_of(struct evhttp_request *request) {
  struct evbuffer *input = evhttp_request_get_input_buffer(request);
  evbuffer_add(input, "", 1);
  return (char *)evbuffer_pullup(input, -1);
}

static void take_push(size_t index, const char *body, size_t *count) {
  long stamp = number_after(body, "\"name\":\"Fjordlys Bygg ", 0);
  if (stamp > 0) {
    customers[index].pms_stamp = (uint32_t)stamp;
    customers[index].pushed_at = last_push = now();
    if (!first_push) first_push = last_push;
    ++*count;
    pthread_cond_signal(&pushed);
  } else {
    others++;
  }
}

// One page of a side's records, or those that `only` (>= 0) asks for.
static void reply_list(struct evhttp_request *request, const struct sample *form, int pms, long only, long page) {
  struct evbuffer *output = evbuffer_new();
  evbuffer_add_printf(output, pms ? "{\"data\":[" : "[");
  size_t from = only >= 0 ? (size_t)only : (size_t)(page > 0 ? page - 1 : 0) * PAGE, to = from + (only >= 0 ? 1 : PAGE);
  int written = 0;
  for (size_t i = from; i < to && i < customer_count; i++) {
    uint32_t stamp = pms ? customers[i].pms_stamp : customers[i].invoiced_stamp;
    if (!stamp) continue;
    if (written++) evbuffer_add(output, ",", 1);
    add_record(output, form, i, stamp);
  }
  evbuffer_add_printf(output, pms ? "]}" : "]");
  if (!pms && only < 0 && to < customer_count) {
    char link[128];
    snprintf(link, sizeof link, "</invoiced/customers?per_page=%d&page=%ld>; rel=\"next\"", PAGE, page > 0 ? page + 1 : 2);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Link", link);
  }
  reply(request, 200, output);
  evbuffer_free(output);
}

static void handle_bench(struct evhttp_request *request, const char *uri) {
  long stamp = number_after(uri, "stamp=", 0);
  if (number_after(uri, "etags=", 0) == 0) etags = 0;
  if (number_after(uri, "both=", 0) == 1)
    for (size_t i = 0; i < customer_count; i++) customers[i].pms_stamp = customers[i].invoiced_stamp;
  if (stamp > 0) {
    for (size_t i = 0; i < customer_count; i++) customers[i].invoiced_stamp = (uint32_t)stamp;
    first_push = last_push = 0;
    creates = updates = others = 0;
  }
  struct evbuffer *output = evbuffer_new();
  evbuffer_add_printf(output, "{\"creates\": %zu, \"updates\": %zu, \"others\": %zu, \"first\": %.6f, \"last\": %.6f}",
                      creates, updates, others, (double)first_push / 1e9, (double)last_push / 1e9);
  reply(request, 200, output);
  evbuffer_free(output);
}

static void handle_pms(struct evhttp_request *request, const char *uri) {
  char etag[32];
  long index = number_after(uri, "/customers/C-", FIRST_CUSTOMER);
  switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_POST: {
      char *body = body_of(request);
      index = number_after(body, "\"customer_number\":\"CUST-", FIRST_CUSTOMER);
      if (known(index)) take_push((size_t)index, body, &creates);
      break;
    }
    case EVHTTP_REQ_PATCH: {
      const char *wanted = evhttp_find_header(evhttp_request_get_input_headers(request), "If-Match");
      etag_of((size_t)index, etag, sizeof etag);
      if (wanted && strcmp(wanted, etag)) {
        evhttp_send_reply(request, 412, "Precondition Failed", NULL);
        return;
      }
      if (known(index)) take_push((size_t)index, body_of(request), &updates);
      break;
    }
    default:
      if (!strstr(uri, "/customers/")) {
        int searched = strstr(uri, "customer_number=") || strstr(uri, "organisation_number=");
        long only = number_after(uri, "customer_number=CUST-", FIRST_CUSTOMER);
        return reply_list(request, &pms_form, 1, searched ? (known(only) ? only : (long)customer_count) : -1,
                          page_of(uri));
      }
  }
  etag_of((size_t)index, etag, sizeof etag);
  if (*etag) evhttp_add_header(evhttp_request_get_output_headers(request), "ETag", etag);
  reply_record(request, &pms_form, known(index) ? (size_t)index : 0, known(index) ? customers[index].pms_stamp : 0);
}

static void handle_invoiced(struct evhttp_request *request, const char *uri) {
  long index = number_after(uri, "/customers/", FIRST_CUSTOMER);
  if (strstr(uri, "/customers/"))
    return reply_record(request, &invoiced_form, known(index) ? (size_t)index : 0,
                        known(index) ? customers[index].invoiced_stamp : 0);
  long only = -1;
  if (strstr(uri, "filter")) {
    long searched = number_after(uri, "=CUST-", FIRST_CUSTOMER);
    only = known(searched) ? searched : (long)customer_count;
  }
  if (!strstr(uri, "/customers")) only = (long)customer_count;  // no events
  reply_list(request, &invoiced_form, 0, only, page_of(uri));
}

static void handle(struct evhttp_request *request, void *unused) {
  (void)unused;
  const char *uri = evhttp_request_get_uri(request);
  pthread_mutex_lock(&lock);
  if (!strncmp(uri, "/pms", 4)) handle_pms(request, uri);
  else if (!strncmp(uri, "/invoiced", 9)) handle_invoiced(request, uri);
  else handle_bench(request, uri);
  pthread_mutex_unlock(&lock);
}

static void *serve(void *base) {
  event_base_dispatch(base);
  return NULL;
}

static void stop(evutil_socket_t signal, short what, void *base) {
  (void)signal, (void)what;
  event_base_loopbreak(base);
}

// Posts one webhook and waits for its 200.
static void post(int descriptor, const struct plan *plan, char *request, uint64_t n) {
  char answer[4096] = "";
  plan_fill(plan, request, n);
  if (send(descriptor, request, plan->sample.length, MSG_NOSIGNAL) != (ssize_t)plan->sample.length) exit(1);
  for (size_t got = 0;;) {
    ssize_t more = recv(descriptor, answer + got, sizeof answer - 1 - got, 0);
    if (more <= 0) {
      fprintf(stderr, "error: the service closed the connection\n");
      exit(1);
    }
    got += (size_t)more;
    answer[got] = 0;
    if (strstr(answer, "\r\n\r\n") && answer[got - 1] == '}') break;
  }
  if (strncmp(answer, "HTTP/1.1 200", 12)) {
    fprintf(stderr, "error: a webhook was answered: %.80s\n", answer);
    exit(1);
  }
}

// The moment of the push that brought `stamp`; 0 if none came in time.
static int64_t wait_for(size_t index, uint32_t stamp) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += WAIT_SECONDS;
  int64_t at = 0;
  pthread_mutex_lock(&lock);
  while (customers[index].pms_stamp != stamp && !pthread_cond_timedwait(&pushed, &lock, &until)) {}
  if (customers[index].pms_stamp == stamp) at = customers[index].pushed_at;
  pthread_mutex_unlock(&lock);
  return at;
}

static int ascending(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static int time_pushes(const struct request_options *options, const char *port, size_t rounds) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int descriptor = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  if (connect(descriptor, (struct sockaddr *)&address, sizeof address)) return perror("error: connect"), 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  double *took = calloc(rounds, sizeof *took);
  size_t measured = 0, late = 0;
  // The first pass links every customer and isn't counted.
  for (size_t n = 0; n < customer_count + rounds; n++) {
    size_t index = n % customer_count;
    uint32_t stamp = (uint32_t)(options->stamp + n / customer_count);
    struct request_options one = *options;
    one.count = 1, one.first = n, one.stamp = stamp;
    struct plan plan = plan_of(&one);
    pthread_mutex_lock(&lock);
    customers[index].invoiced_stamp = stamp;
    pthread_mutex_unlock(&lock);
    int64_t began = now();
    post(descriptor, &plan, plan.sample.text, 0);
    int64_t at = wait_for(index, stamp);
    if (!at) late++;
    else if (n >= customer_count) took[measured++] = (double)(at - began) / 1e6;
    free(plan.signatures), free(plan.sample.text);
    if (late > 3) break;
  }
  qsort(took, measured, sizeof *took, ascending);
  if (measured)
    printf("{\"pushes\": %zu, \"late\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n", measured, late,
           took[measured / 2], took[measured * 99 / 100], took[measured - 1]);
  if (late) fprintf(stderr, "error: %zu pushes didn't come within %d s\n", late, WAIT_SECONDS);
  return late || !measured;
}

static char *path_in(const char *directory, const char *name) {
  char *path;
  if (asprintf(&path, "%s/%s", directory, name) < 0) exit(1);
  return path;
}

int main(int argc, char **argv) {
  if (argc != 4 && (argc != 8 || strcmp(argv[4], "--webhooks"))) {
    fprintf(stderr, "usage: sides PORT RECORDS CUSTOMERS [--webhooks PORT SECRET ROUNDS]\n");
    return 64;
  }
  struct request_options options = {.customers = strtoull(argv[3], NULL, 10), .stamp = 1767693600,
                                    .sample = path_in(argv[2], "customer.json"), .path = "/webhooks/invoiced"};
  customer_count = options.customers;
  customers = calloc(customer_count, sizeof *customers);
  for (size_t i = 0; i < customer_count; i++) customers[i].invoiced_stamp = (uint32_t)options.stamp;
  invoiced_form = sample_of(read_file(options.sample), 0, 0);
  pms_form = sample_of(read_file(path_in(argv[2], "pms-customer.json")), 0, 0);
  signal(SIGPIPE, SIG_IGN);
  struct event_base *base = event_base_new();
  struct evhttp *http = evhttp_new(base);
  evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PATCH | EVHTTP_REQ_PUT);
  evhttp_set_gencb(http, handle, NULL);
  if (evhttp_bind_socket(http, "127.0.0.1", (uint16_t)atoi(argv[1]))) return fprintf(stderr, "error: port taken\n"), 1;
  if (argc == 4) {
    event_add(evsignal_new(base, SIGTERM, stop, base), NULL);
    event_base_dispatch(base);
    return 0;
  }
  pthread_t server;
  pthread_create(&server, NULL, serve, base);
  options.port = atoi(argv[5]);
  options.secret = argv[6];
  return time_pushes(&options, argv[5], strtoull(argv[7], NULL, 10));
}
