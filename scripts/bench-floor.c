/*
 * The C half of the benchmark: producers, meters with one clock, and the floor that facron is held to.
 *
 * Built twice by scripts/bench/workspace.ts: as it is, and with -DSTAMP as the tiny static program
 * that the action tests start. Every meter prints one JSON object on stdout.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What a started command leaves in the FIFO: below PIPE_BUF, so writes of many never mix. */
struct record {
  int64_t ns;
  int64_t number;
};

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

#ifdef STAMP

/* The digits that end a path: the producers call their files f000000, f000001 and so on. */
static int64_t number_of(const char *path) {
  size_t end = strlen(path), start = end;
  while (start > 0 && path[start - 1] >= '0' && path[start - 1] <= '9') start--;
  return start == end ? -1 : strtoll(path + start, NULL, 10);
}

/* stamp FIFO PATH: say when main() began, and for which file. */
int main(int argc, char **argv) {
  struct record record = {now_ns(), -1};
  if (argc > 2) record.number = number_of(argv[2]);
  int fd = argc > 1 ? open(argv[1], O_WRONLY | O_CLOEXEC) : -1;
  return fd < 0 || write(fd, &record, sizeof record) != sizeof record;
}

#else

extern char **environ;

static void die(const char *format, ...) {
  int error = errno;
  va_list arguments;
  va_start(arguments, format);
  fputs("bench-floor: ", stderr);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, ": %s\n", strerror(error));
  exit(1);
}

static int check(int result, const char *what) {
  if (result < 0) die("%s", what);
  return result;
}

static void write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n < 0 && errno == EPIPE) exit(0);
    check((int)n, "write");
    bytes += n;
    length -= (size_t)n;
  }
}

static void sleep_ns(int64_t ns) {
  struct timespec t = {ns / 1000000000, ns % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR) {}
}

/* ---- producers ---- */

static int open_dir(const char *path) { return check(open(path, O_PATH | O_DIRECTORY), path); }

static int create_numbered(int dir, int number) {
  char name[16];
  snprintf(name, sizeof name, "f%06d", number);
  return check(openat(dir, name, O_WRONLY | O_CREAT, 0600), name);
}

static void produce_one(int dir, int number, int bytes) {
  int fd = create_numbered(dir, number);
  if (bytes > 0) check((int)write(fd, "x", 1), "write");
  close(fd);
}

/* produce-cycles DIR FILES CYCLES: open, write and close; the files exist, so each makes three events. */
static int produce_cycles(char **arguments) {
  int dir = open_dir(arguments[0]), files = atoi(arguments[1]), cycles = atoi(arguments[2]);
  for (int i = 0; i < cycles; i++) produce_one(dir, i % files, 1);
  return 0;
}

/* produce-names DIR FROM COUNT BYTES: COUNT new files; with BYTES 0 nothing is written (a tmpfs page each). */
static int produce_names(char **arguments) {
  int dir = open_dir(arguments[0]), from = atoi(arguments[1]), count = atoi(arguments[2]);
  int bytes = atoi(arguments[3]);
  for (int i = 0; i < count; i++) produce_one(dir, from + i, bytes);
  return 0;
}

/* produce-names-and-stay: the same; it says "done" and lives on, for those that look at who did it. */
static int produce_names_and_stay(char **arguments) {
  produce_names(arguments);
  puts("done");
  fflush(stdout);
  for (;;) pause();
}

/* ---- the floor: read, memcpy of prefix, directory, name and suffix, 1 MiB writes ---- */

enum { READ_BYTES = 256 * 1024, WRITE_BYTES = 1024 * 1024, LINE_BYTES_MAX = 3 * PATH_MAX };

/* One read's worth of lines, written out when 1 MiB is full or when the kernel's queue is empty. */
struct output {
  size_t used;
  char seq[24]; /* decimal, right-aligned: counting up in place saves a division per digit */
  int seq_start;
  char bytes[WRITE_BYTES + LINE_BYTES_MAX];
};

static struct output output = {.seq = "00000000000000000000000", .seq_start = 22};

static void flush(void) {
  write_all(STDOUT_FILENO, output.bytes, output.used);
  output.used = 0;
}

static void put(const char *bytes, size_t length) {
  memcpy(output.bytes + output.used, bytes, length);
  output.used += length;
}

static void put_seq(void) {
  int i = 22;
  while (output.seq[i] == '9') output.seq[i--] = '0';
  output.seq[i]++;
  if (i < output.seq_start) output.seq_start = i;
  put(output.seq + output.seq_start, (size_t)(23 - output.seq_start));
}

/* A piece of a line that stays the same for a whole read. */
struct piece {
  size_t length;
  char bytes[PATH_MAX + 256];
};

static void set_piece(struct piece *piece, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  piece->length = (size_t)vsnprintf(piece->bytes, sizeof piece->bytes, format, arguments);
  va_end(arguments);
}

/* RFC 3339 in UTC with microseconds: one clock reading per read, as facron has it. */
static const char *time_text(void) {
  static char text[64];
  struct timespec t;
  struct tm tm;
  clock_gettime(CLOCK_REALTIME, &t);
  gmtime_r(&t.tv_sec, &tm);
  size_t length = strftime(text, sizeof text, "%FT%T", &tm);
  snprintf(text + length, sizeof text - length, ".%06ldZ", t.tv_nsec / 1000);
  return text;
}

static void begin_line(const struct piece *middle) {
  put("{\"v\":1,\"seq\":", 13);
  put_seq();
  put(middle->bytes, middle->length);
}

static void end_line(const char *end, size_t length) {
  put(end, length);
  if (output.used >= WRITE_BYTES) flush();
}

static void put_overflow(void) {
  static struct piece middle;
  set_piece(&middle, ",\"time\":\"%s\",\"events\":[\"q_overflow\"],\"lost\":true", time_text());
  begin_line(&middle);
  end_line("}\n", 2);
}

/* A read that left room for the longest record has emptied the queue: no call is needed to ask. */
static void flush_if_drained(ssize_t bytes_read) {
  if (bytes_read < READ_BYTES - 4096) flush();
}

static char input[READ_BYTES] __attribute__((aligned(8)));

static ssize_t read_events(int fd) {
  ssize_t n = read(fd, input, sizeof input);
  if (n < 0 && errno == EINTR) return 0;
  check((int)n, "read events");
  return n;
}

struct floor_event {
  uint32_t bit;
  const char *name;
};

static const struct floor_event floor_events[] = {
    {IN_OPEN, "open"}, {IN_MODIFY, "modify"}, {IN_CLOSE_WRITE, "close_write"}};

enum { FLOOR_EVENTS = 3 };

static struct piece middles[FLOOR_EVENTS];

/* The bits outside our mask are IN_Q_OVERFLOW and IN_IGNORED: then there is no name to print. */
static const struct piece *middle_of(uint32_t mask) {
  for (int i = 0; i < FLOOR_EVENTS; i++)
    if (mask & floor_events[i].bit) return &middles[i];
  return NULL;
}

static void set_middles(const char *dir) {
  const char *time = time_text();
  for (int i = 0; i < FLOOR_EVENTS; i++)
    set_piece(&middles[i], ",\"time\":\"%s\",\"rules\":[\"watch\"],\"events\":[\"%s\"],\"path\":\"%s/", time,
              floor_events[i].name, dir);
}

static void put_inotify_line(const struct inotify_event *event) {
  const struct piece *middle = middle_of(event->mask);
  if (middle && event->len > 0) {
    begin_line(middle);
    put(event->name, strlen(event->name));
    end_line("\"}\n", 3);
  } else if (event->mask & IN_Q_OVERFLOW) {
    put_overflow();
  }
}

/* A pipe of 64 KiB would cost sixteen switches for each of our writes; F_SETPIPE_SZ, Linux 2.6.35. */
static void widen_stdout(void) { fcntl(STDOUT_FILENO, F_SETPIPE_SZ, WRITE_BYTES); }

/* drain-inotify DIR MASK */
static int drain_inotify(char **arguments) {
  widen_stdout();
  int fd = check(inotify_init1(IN_CLOEXEC), "inotify_init1");
  check(inotify_add_watch(fd, arguments[0], (uint32_t)strtoul(arguments[1], NULL, 0)), arguments[0]);
  for (ssize_t n; (n = read_events(fd)) >= 0; flush_if_drained(n)) {
    set_middles(arguments[0]);
    for (char *at = input; at < input + n;) {
      const struct inotify_event *event = (struct inotify_event *)at;
      put_inotify_line(event);
      at += sizeof *event + event->len;
    }
  }
  return 0;
}

/* Directory handles seen so far and their paths: one look-up in the kernel each. */
struct directory {
  size_t key_bytes;
  char key[8 + sizeof(struct file_handle) + MAX_HANDLE_SZ]; /* fsid, then the handle */
  struct piece path;
};

enum { DIRECTORIES = 4096 };

static struct directory *directories[DIRECTORIES];

static uint32_t hash_of(const char *key, size_t length) {
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)key[i]) * 16777619u;
  return hash;
}

static void resolve(struct directory *directory, int mount) {
  char link[64], path[PATH_MAX];
  int fd = open_by_handle_at(mount, (struct file_handle *)(directory->key + 8), O_PATH | O_CLOEXEC);
  check(fd, "open_by_handle_at");
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int length = check((int)readlink(link, path, sizeof path), "readlink");
  close(fd);
  set_piece(&directory->path, "%.*s/", length, path);
}

static struct directory *add_directory(const char *key, size_t length, int mount) {
  struct directory *directory = calloc(1, sizeof *directory);
  directory->key_bytes = length;
  memcpy(directory->key, key, length);
  resolve(directory, mount);
  return directory;
}

static const struct piece *path_of(const char *key, size_t length, int mount) {
  static struct directory *last;
  if (last && last->key_bytes == length && memcmp(last->key, key, length) == 0) return &last->path;
  uint32_t at = hash_of(key, length) % DIRECTORIES;
  for (; directories[at]; at = (at + 1) % DIRECTORIES) {
    last = directories[at];
    if (last->key_bytes == length && memcmp(last->key, key, length) == 0) return &last->path;
  }
  return &(last = directories[at] = add_directory(key, length, mount))->path;
}

/* The first record is the directory's handle and the name: FAN_EVENT_INFO_TYPE_DFID_NAME. */
static void put_path(const struct fanotify_event_metadata *event, int mount) {
  const struct fanotify_event_info_fid *info = (const void *)((const char *)event + event->metadata_len);
  const struct file_handle *handle = (const void *)info->handle;
  size_t key_bytes = sizeof info->fsid + sizeof *handle + handle->handle_bytes;
  const struct piece *path = path_of((const char *)&info->fsid, key_bytes, mount);
  const char *name = (const char *)handle->f_handle + handle->handle_bytes;
  put(path->bytes, path->length);
  put(name, strlen(name));
}

static void put_fanotify_line(const struct fanotify_event_metadata *event, const struct piece *middle,
                              int mount) {
  static struct piece end;
  static int last_pid = -1;
  if (event->pid != last_pid) set_piece(&end, "\",\"pid\":%d}\n", last_pid = event->pid);
  begin_line(middle);
  put_path(event, mount);
  end_line(end.bytes, end.length);
}

/* drain-fanotify DIR: close_write of its children; FAN_REPORT_DFID_NAME_TARGET, an inode mark. */
static int drain_fanotify(char **arguments) {
  static struct piece middle;
  widen_stdout();
  int dir = check(open(arguments[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC), arguments[0]);
  int fd = check(fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | 0x1e00, 0), "fanotify_init");
  check(fanotify_mark(fd, FAN_MARK_ADD, FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD, dir, NULL), arguments[0]);
  for (ssize_t n; (n = read_events(fd)) >= 0; flush_if_drained(n)) {
    set_piece(&middle, ",\"time\":\"%s\",\"rules\":[\"watch\"],\"events\":[\"close_write\"],\"path\":\"",
              time_text());
    const struct fanotify_event_metadata *event = (void *)input;
    for (ssize_t left = n; FAN_EVENT_OK(event, left); event = FAN_EVENT_NEXT(event, left)) {
      if (event->mask & FAN_Q_OVERFLOW) put_overflow();
      else put_fanotify_line(event, &middle, dir);
    }
  }
  return 0;
}

/* ---- the floor of actions: read, posix_spawn, waitpid ---- */

static void start_command(char **arguments, const char *name) {
  char path[PATH_MAX];
  pid_t pid;
  snprintf(path, sizeof path, "%s/%s", arguments[0], name);
  char *command[] = {arguments[2], arguments[3], path, NULL};
  errno = posix_spawn(&pid, command[0], NULL, NULL, command, environ);
  if (errno != 0) die("posix_spawn %s", command[0]);
}

static int reap(int running, int limit) {
  while (running > 0 && waitpid(-1, NULL, running < limit ? WNOHANG : 0) > 0) running--;
  return running;
}

/* spawn-floor DIR LIMIT PROGRAM FIFO: one command per close_write, at most LIMIT at once. */
static int spawn_floor(char **arguments) {
  int fd = check(inotify_init1(IN_CLOEXEC), "inotify_init1"), limit = atoi(arguments[1]), running = 0;
  check(inotify_add_watch(fd, arguments[0], IN_CLOSE_WRITE), arguments[0]);
  for (ssize_t n; (n = read_events(fd)) >= 0;) {
    for (char *at = input; at < input + n;) {
      const struct inotify_event *event = (struct inotify_event *)at;
      running = reap(running, limit);
      start_command(arguments, event->name);
      running++;
      at += sizeof *event + event->len;
    }
  }
  return 0;
}

/* ---- meters ---- */

enum { METER_BYTES = 1024 * 1024 };

static char meter_bytes[METER_BYTES];

static bool readable(int fd, int timeout_ms) {
  struct pollfd poller = {fd, POLLIN, 0};
  return poll(&poller, 1, timeout_ms) > 0;
}

static int64_t newlines(const char *bytes, size_t length) {
  int64_t count = 0;
  const char *end = bytes + length;
  while ((bytes = memchr(bytes, '\n', (size_t)(end - bytes)))) count++, bytes++;
  return count;
}

static int64_t cpu_ns(pid_t pid) {
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* cpu-time PID: what all its threads have used, those that have ended too. */
static int cpu_time(char **arguments) {
  printf("{\"ns\":%" PRId64 "}\n", cpu_ns(atoi(arguments[0])));
  return 0;
}

/* A consumer that is this slow has shown enough; what is missing then counts as lost. */
enum { DRAIN_SECONDS_MAX = 120 };

/* count-lines PID EXPECT IDLE_MS: continue a stopped process and time its lines on our stdin. */
static int count_lines(char **arguments) {
  pid_t pid = atoi(arguments[0]);
  int64_t expect = atoll(arguments[1]), lines = 0, bytes = 0;
  int64_t cpu = cpu_ns(pid), start = now_ns(), last = start;
  check(kill(pid, SIGCONT), "kill");
  while (lines < expect && last - start < DRAIN_SECONDS_MAX * 1000000000LL &&
         readable(STDIN_FILENO, atoi(arguments[2]))) {
    ssize_t n = read(STDIN_FILENO, meter_bytes, METER_BYTES);
    if (n <= 0) break;
    lines += newlines(meter_bytes, (size_t)n);
    bytes += n;
    last = now_ns();
  }
  printf("{\"lines\":%" PRId64 ",\"bytes\":%" PRId64 ",\"ns\":%" PRId64 ",\"cpuNs\":%" PRId64 "}\n", lines, bytes,
         last - start, cpu_ns(pid) - cpu);
  return 0;
}

/* What the JSON lines said, for check-lines. */
struct tally {
  int64_t lines, close_writes, lost_records, seq_gaps, last_seq;
};

static void tally_line(struct tally *tally, const char *line, size_t length) {
  const char *seq = memmem(line, length, "\"seq\":", 6);
  int64_t number = seq ? strtoll(seq + 6, NULL, 10) : -1;
  if (tally->lines > 0 && number != tally->last_seq + 1) tally->seq_gaps++;
  tally->lines++;
  tally->last_seq = number;
  if (memmem(line, length, "\"events\":[\"close_write\"]", 24)) tally->close_writes++;
  if (memmem(line, length, "\"lost\":true", 11)) tally->lost_records++;
}

/* @returns how many bytes were whole lines */
static size_t tally_lines(struct tally *tally, const char *bytes, size_t length) {
  const char *at = bytes, *end;
  while ((end = memchr(at, '\n', length - (size_t)(at - bytes)))) {
    tally_line(tally, at, (size_t)(end - at));
    at = end + 1;
  }
  return (size_t)(at - bytes);
}

static void print_tally(const struct tally *tally) {
  printf("{\"lines\":%" PRId64 ",\"closeWrites\":%" PRId64 ",\"lostRecords\":%" PRId64 ",\"seqGaps\":%" PRId64
         ",\"lastSeq\":%" PRId64 "}\n",
         tally->lines, tally->close_writes, tally->lost_records, tally->seq_gaps, tally->last_seq);
  fflush(stdout);
}

/*
 * check-lines MILESTONE EXPECT IDLE_MS: count and check JSON lines on stdin; one report at the
 * milestone, one at the end. After the last expected line it stays for half a second, so that a
 * line too many is seen.
 */
static int check_lines(char **arguments) {
  int64_t milestone = atoll(arguments[0]), expect = atoll(arguments[1]);
  struct tally tally = {0};
  size_t kept = 0;
  bool told = false;
  while (readable(STDIN_FILENO, tally.close_writes < expect ? atoi(arguments[2]) : 500)) {
    ssize_t n = read(STDIN_FILENO, meter_bytes + kept, METER_BYTES - kept);
    if (n <= 0) break;
    size_t whole = tally_lines(&tally, meter_bytes, kept + (size_t)n);
    kept += (size_t)n - whole;
    memmove(meter_bytes, meter_bytes + whole, kept);
    if (!told && tally.close_writes >= milestone) told = true, print_tally(&tally);
  }
  print_tally(&tally);
  return 0;
}

static void print_times(const int64_t *ns, int count, int lost) {
  printf("{\"lost\":%d,\"ns\":[", lost);
  for (int i = 0; i < count; i++) printf(i ? ",%" PRId64 : "%" PRId64, ns[i]);
  puts("]}");
}

static void discard_lines(void) {
  while (readable(STDIN_FILENO, 0)) {
    if (read(STDIN_FILENO, meter_bytes, METER_BYTES) <= 0) die("the consumer's stdout has ended");
  }
}

static int64_t wait_for_line(void) {
  while (readable(STDIN_FILENO, 1000)) {
    ssize_t n = read(STDIN_FILENO, meter_bytes, METER_BYTES);
    if (n <= 0) die("the consumer's stdout has ended");
    if (memchr(meter_bytes, '\n', (size_t)n)) return now_ns();
  }
  return -1;
}

/* 0.5 ms before and after each close: events about 1 ms apart, and lines about open or modify are out of the way. */
enum { SPACE_NS = 450000 };

/* latency DIR COUNT: close() to the line in our hands, one at a time. */
static int latency(char **arguments) {
  int dir = open_dir(arguments[0]), count = atoi(arguments[1]), lost = 0, n = 0;
  int64_t *ns = calloc((size_t)count, sizeof *ns);
  for (int i = 0; i < count; i++) {
    int fd = create_numbered(dir, i);
    check((int)write(fd, "x", 1), "write");
    sleep_ns(SPACE_NS);
    discard_lines();
    int64_t start = now_ns();
    close(fd);
    int64_t end = wait_for_line();
    if (end < 0) lost++;
    else ns[n++] = end - start;
    sleep_ns(SPACE_NS);
  }
  print_times(ns, n, lost);
  return 0;
}

/* Both ends, so that a read never sees the end when the last command has gone. */
static int open_fifo(const char *path) { return check(open(path, O_RDWR | O_CLOEXEC), path); }

static bool next_record(int fifo, struct record *record, int timeout_ms) {
  return readable(fifo, timeout_ms) && read(fifo, record, sizeof *record) == sizeof *record;
}

/* action DIR FIFO COUNT: close() to main() of the command, one at a time. */
static int action(char **arguments) {
  int dir = open_dir(arguments[0]), fifo = open_fifo(arguments[1]), count = atoi(arguments[2]);
  int lost = 0, n = 0;
  int64_t *ns = calloc((size_t)count, sizeof *ns);
  for (int i = 0; i < count; i++) {
    struct record record = {0, -1};
    int fd = create_numbered(dir, i);
    check((int)write(fd, "x", 1), "write");
    int64_t start = now_ns();
    close(fd);
    while (record.number != i && next_record(fifo, &record, 2000)) {}
    if (record.number != i) lost++;
    else ns[n++] = record.ns - start;
    sleep_ns(3000000); /* the command ends and is reaped before the next one */
  }
  print_times(ns, n, lost);
  return 0;
}

struct ran {
  int64_t distinct, extra, last_ns;
};

/* Read records until `expect` different files have had their command, or nothing came for `idle_ms`. */
static struct ran count_ran(int fifo, int64_t expect, int idle_ms) {
  struct ran ran = {0, 0, 0};
  struct record record;
  bool *seen = calloc((size_t)expect, sizeof *seen);
  while (next_record(fifo, &record, ran.distinct < expect ? idle_ms : 300)) {
    bool new = record.number >= 0 && record.number < expect && !seen[record.number];
    if (new) seen[record.number] = true, ran.distinct++;
    else ran.extra++;
    if (record.ns > ran.last_ns) ran.last_ns = record.ns;
  }
  free(seen);
  return ran;
}

static void print_ran(struct ran ran, int64_t start) {
  printf("{\"ran\":%" PRId64 ",\"extra\":%" PRId64 ",\"ns\":%" PRId64 "}\n", ran.distinct, ran.extra,
         ran.last_ns - start);
}

static void allow_open_files(rlim_t count) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= count) return;
  limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
  check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}

/* burst DIR FIFO COUNT IDLE_MS: COUNT files closed at once; from the first close to the last main(). */
static int burst(char **arguments) {
  int dir = open_dir(arguments[0]), fifo = open_fifo(arguments[1]), count = atoi(arguments[2]);
  int *fds = calloc((size_t)count, sizeof *fds);
  allow_open_files((rlim_t)count + 64);
  for (int i = 0; i < count; i++) {
    fds[i] = create_numbered(dir, i);
    check((int)write(fds[i], "x", 1), "write");
  }
  int64_t start = now_ns();
  for (int i = 0; i < count; i++) close(fds[i]);
  print_ran(count_ran(fifo, count, atoi(arguments[3])), start);
  return 0;
}

/* count-records FIFO EXPECT IDLE_MS: how many of EXPECT commands ran; says "listening" first. */
static int count_records(char **arguments) {
  int fifo = open_fifo(arguments[0]);
  int64_t start = now_ns();
  puts("listening");
  fflush(stdout);
  print_ran(count_ran(fifo, atoll(arguments[1]), atoi(arguments[2])), start);
  return 0;
}

static void read_until(int fd, const char *text) {
  size_t used = 0;
  while (used < METER_BYTES && readable(fd, 10000)) {
    ssize_t n = read(fd, meter_bytes + used, METER_BYTES - used);
    if (n <= 0) break;
    used += (size_t)n;
    if (memmem(meter_bytes, used, text, strlen(text))) return;
  }
  fprintf(stderr, "bench-floor: no \"%s\" in: %.*s\n", text, (int)used, meter_bytes);
  exit(1);
}

static pid_t spawn_quietly(char **command, int stderr_fd) {
  posix_spawn_file_actions_t actions;
  pid_t pid;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, stderr_fd, STDERR_FILENO);
  errno = posix_spawnp(&pid, command[0], &actions, NULL, command, environ);
  if (errno != 0) die("%s", command[0]);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

static int64_t time_one_start(char **command, const char *text) {
  int ends[2];
  check(pipe2(ends, O_CLOEXEC), "pipe2");
  int64_t start = now_ns();
  pid_t pid = spawn_quietly(command, ends[1]);
  close(ends[1]);
  read_until(ends[0], text);
  int64_t end = now_ns();
  kill(pid, SIGTERM);
  waitpid(pid, NULL, 0);
  close(ends[0]);
  return end - start;
}

/* time-ready COUNT TEXT PROGRAM ARGUMENTS...: posix_spawn to TEXT on its stderr. */
static int time_ready(char **arguments) {
  int count = atoi(arguments[0]);
  int64_t *ns = calloc((size_t)count, sizeof *ns);
  for (int i = 0; i < count; i++) ns[i] = time_one_start(arguments + 2, arguments[1]);
  print_times(ns, count, 0);
  return 0;
}

struct command {
  const char *name;
  int arguments; /* at least */
  int (*run)(char **arguments);
};

static const struct command commands[] = {
    {"produce-cycles", 3, produce_cycles}, {"produce-names", 4, produce_names},
    {"produce-names-and-stay", 4, produce_names_and_stay},
    {"drain-inotify", 2, drain_inotify},   {"drain-fanotify", 1, drain_fanotify},
    {"spawn-floor", 4, spawn_floor},       {"count-lines", 3, count_lines},
    {"check-lines", 3, check_lines},       {"latency", 2, latency},
    {"action", 3, action},                 {"burst", 4, burst},
    {"count-records", 3, count_records},   {"time-ready", 3, time_ready},
    {"cpu-time", 1, cpu_time},
};

int main(int argc, char **argv) {
  for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
    if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].arguments)
      return commands[i].run(argv + 2);
  }
  fputs("bench-floor: unknown sub-command, or arguments missing; see the comments in bench-floor.c\n", stderr);
  return 2;
}

#endif
