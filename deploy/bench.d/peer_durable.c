// The durable job in C: evhttp on one thread; each event is stored once, with its body, in SQLite (WAL,
// synchronous=FULL) by a writer thread, which commits whatever has gathered while the disk was busy; the answer is sent
// after the commit.
//   peer_durable PORT SECRET DATABASE
#include "peer.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { CHECKPOINT_PAGES = 4000, RESTART_PAGES = 64000 };  // 16 MB, 256 MB

struct job {
  struct job *next;
  struct evhttp_request *request;
  int64_t received_at;
  int outcome;  // SQLITE_DONE stored, SQLITE_CONSTRAINT there already, else failed
  size_t id_length, body_length;
  const char *id;  // inside body
  char body[];
};

struct list {
  struct job *first, **end;
};

static struct list waiting, finished;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER, grown = PTHREAD_COND_INITIALIZER;
static int wake, wal_pages, stopping;
static const char *path;

static void append(struct list *list, struct job *job) {
  job->next = NULL;
  *list->end = job;
  list->end = &job->next;
}

static struct job *take(struct list *list) {
  struct job *first = list->first;
  list->first = NULL;
  list->end = &list->first;
  return first;
}

static void run(sqlite3 *database, const char *sql) {
  if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) fail(sqlite3_errmsg(database));
}

static sqlite3 *open_database(void) {
  sqlite3 *database;
  if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL))
    fail("can't open the database");
  sqlite3_busy_timeout(database, 10000);
  // Both connections may turn it on at once, which SQLite refuses one of them without waiting.
  while (sqlite3_exec(database, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) == SQLITE_BUSY) usleep(1000);
  run(database, "PRAGMA synchronous = FULL");
  run(database, "PRAGMA wal_autocheckpoint = 0");
  return database;
}

static int note_growth(void *context, sqlite3 *database, const char *name, int pages) {
  (void)context, (void)database, (void)name;
  pthread_mutex_lock(&lock);
  wal_pages = pages;
  if (pages > CHECKPOINT_PAGES) pthread_cond_signal(&grown);
  pthread_mutex_unlock(&lock);
  return SQLITE_OK;
}

// Copies the log into the database on a connection of its own, so that no commit waits for it.
static void *checkpoint(void *unused) {
  sqlite3 *database = open_database();
  for (;;) {
    pthread_mutex_lock(&lock);
    pthread_cond_wait(&grown, &lock);
    int stop = stopping;
    pthread_mutex_unlock(&lock);
    if (stop) break;
    sqlite3_wal_checkpoint_v2(database, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  }
  sqlite3_close(database);
  return unused;
}

static void store(sqlite3 *database, sqlite3_stmt *insert, struct job *batch) {
  run(database, "BEGIN IMMEDIATE");
  for (struct job *job = batch; job; job = job->next) {
    sqlite3_bind_text(insert, 1, job->id, (int)job->id_length, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 2, job->received_at);
    sqlite3_bind_blob(insert, 3, job->body, (int)job->body_length, SQLITE_STATIC);
    job->outcome = sqlite3_step(insert);
    if (job->outcome == SQLITE_DONE && sqlite3_changes(database) == 0) job->outcome = SQLITE_CONSTRAINT;
    sqlite3_reset(insert);
  }
  if (sqlite3_exec(database, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
    for (struct job *job = batch; job; job = job->next) job->outcome = SQLITE_ERROR;
    run(database, "ROLLBACK");
  }
}

static void *write_events(void *unused) {
  sqlite3 *database = open_database();
  run(database,
      "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE,"
      " received_at INTEGER NOT NULL, body BLOB NOT NULL)");
  sqlite3_stmt *insert;
  if (sqlite3_prepare_v2(database,
                         "INSERT INTO events (event_id, received_at, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                         -1, &insert, NULL))
    fail(sqlite3_errmsg(database));
  sqlite3_wal_hook(database, note_growth, NULL);
  for (;;) {
    pthread_mutex_lock(&lock);
    while (!waiting.first && !stopping) pthread_cond_wait(&arrived, &lock);
    struct job *batch = take(&waiting);
    pthread_mutex_unlock(&lock);
    if (!batch) break;
    store(database, insert, batch);
    pthread_mutex_lock(&lock);
    for (struct job *job = batch, *next; job; job = next) {
      next = job->next;
      append(&finished, job);
    }
    // The other connection never reaches the end of a log that grows: now and then it is begun anew.
    int restart = wal_pages > RESTART_PAGES;
    pthread_mutex_unlock(&lock);
    uint64_t one = 1;
    if (write(wake, &one, sizeof one) < 0) fail("can't wake the loop");
    if (restart) sqlite3_wal_checkpoint_v2(database, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
  }
  sqlite3_finalize(insert);
  sqlite3_close(database);
  return unused;
}

static void answer_finished(evutil_socket_t descriptor, short what, void *unused) {
  (void)what, (void)unused;
  uint64_t count;
  if (read(descriptor, &count, sizeof count) < 0) return;
  pthread_mutex_lock(&lock);
  struct job *job = take(&finished);
  pthread_mutex_unlock(&lock);
  for (struct job *next; job; job = next) {
    next = job->next;
    if (job->outcome == SQLITE_DONE)
      answer(job->request, 200, "OK", "{\"status\":\"accepted\"}");
    else if (job->outcome == SQLITE_CONSTRAINT)
      answer(job->request, 200, "OK", "{\"status\":\"duplicate\"}");
    else
      answer(job->request, 503, "Service Unavailable", "{\"status\":503}");
    free(job);
  }
}

// The text of the envelope's `"id":`, which Invoiced writes first: digits, or what stands between quotes.
static int find_id(struct job *job) {
  const char *key = memmem(job->body, job->body_length, "\"id\":", 5), *end = job->body + job->body_length;
  if (!key) return 0;
  job->id = key + 5;
  int quoted = job->id < end && *job->id == '"';
  job->id += quoted;
  const char *last = job->id;
  while (last < end && (quoted ? *last != '"' : *last >= '0' && *last <= '9')) last++;
  job->id_length = (size_t)(last - job->id);
  return job->id_length > 0;
}

static void handle(struct evhttp_request *request, void *mac) {
  if (!is_signed(mac, request)) return answer(request, 401, "Unauthorized", "{\"status\":401}");
  struct evbuffer *input = evhttp_request_get_input_buffer(request);
  size_t length = evbuffer_get_length(input);
  struct job *job = malloc(sizeof *job + length);
  if (!job) return answer(request, 503, "Service Unavailable", "{\"status\":503}");
  job->request = request;
  job->body_length = length;
  evbuffer_copyout(input, job->body, length);
  if (!find_id(job)) {
    free(job);
    return answer(request, 400, "Bad Request", "{\"status\":400}");
  }
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  job->received_at = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
  pthread_mutex_lock(&lock);
  int first = waiting.first == NULL;
  append(&waiting, job);
  pthread_mutex_unlock(&lock);
  if (first) pthread_cond_signal(&arrived);
}

int main(int count, char **arguments) {
  if (count != 4) fail("usage: peer_durable PORT SECRET DATABASE");
  path = arguments[3];
  take(&waiting);
  take(&finished);
  struct event_base *base = event_base_new();
  wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  event_add(event_new(base, wake, EV_READ | EV_PERSIST, answer_finished, NULL), NULL);
  pthread_t writer, checkpointer;
  pthread_create(&writer, NULL, write_events, NULL);
  pthread_create(&checkpointer, NULL, checkpoint, NULL);
  serve(base, arguments[1], handle, mac_new(arguments[2]));
  pthread_mutex_lock(&lock);
  stopping = 1;
  pthread_cond_signal(&arrived);
  pthread_cond_signal(&grown);
  pthread_mutex_unlock(&lock);
  pthread_join(writer, NULL);
  // The checkpointer may be in the middle of its work rather than waiting: the process ends with it.
}
