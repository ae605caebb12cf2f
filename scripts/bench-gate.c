/*
 * The C half of what gates are measured with: processes that open files as fast as they can and check
 * each verdict, and the listeners that facron is held to.
 *
 * The tree is directories with files below one directory; names that end in the suffix are those denied.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
  fprintf(stderr, "bench-gate: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int check(int result, const char *what) {
  if (result < 0) die(what);
  return result;
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static bool ends_with(const char *text, size_t length, const char *suffix) {
  size_t tail = strlen(suffix);
  return length >= tail && memcmp(text + length - tail, suffix, tail) == 0;
}

/* ---- the tree ---- */

enum { PATHS_MAX = 100000 };

struct path {
  char *text;
  bool denied;
};

static struct path paths[PATHS_MAX];
static int path_count;

typedef void visit(const char *path);

/* Each directory below and with `top`, and each file in them. */
static void walk(const char *top, visit *directory, visit *file) {
  DIR *dir = opendir(top);
  if (!dir) die(top);
  if (directory) directory(top);
  for (struct dirent *entry; (entry = readdir(dir));) {
    char path[PATH_MAX];
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", top, entry->d_name);
    if (entry->d_type == DT_DIR) walk(path, directory, file);
    else if (file) file(path);
  }
  closedir(dir);
}

static const char *denied_suffix;

static void add_path(const char *text) {
  if (path_count == PATHS_MAX) die("too many files");
  paths[path_count++] = (struct path){strdup(text), ends_with(text, strlen(text), denied_suffix)};
}

/* ---- openers ---- */

/* What holds of verdicts in a phase: nothing is denied; what has the suffix is, and nothing else; not judged. */
enum expectation { NONE, DENY, EITHER };

static const char *const expectations[] = {"none", "deny", "either"};

/* Times in buckets of 1/32 of their power of two: 3 %. */
enum { STEPS = 32, BUCKETS = 60 * STEPS, PHASES_MAX = 64, OPENERS_MAX = 64 };

struct counts {
  int64_t opens, denied, wrong, failed, max_ns;
  int64_t buckets[BUCKETS];
};

/* One opener's, written by it alone. */
struct opener {
  _Atomic int phase;         /* of the open that is going on, or of the last */
  _Atomic int64_t since_ns;  /* when it began; 0: none is going on */
  char wrong_path[PATH_MAX]; /* the first with a wrong verdict */
  struct counts counts[PHASES_MAX];
};

struct shared {
  _Atomic int phase;
  _Atomic int expected[PHASES_MAX];
  struct opener openers[OPENERS_MAX];
};

static struct shared *shared;

static int bucket_of(int64_t ns) {
  if (ns < STEPS) return (int)ns;
  int power = 63 - __builtin_clzll((uint64_t)ns);
  return (power - 4) * STEPS + (int)((ns >> (power - 5)) & (STEPS - 1));
}

/* The upper end of a bucket. */
static int64_t ns_of(int bucket) {
  if (bucket < STEPS) return bucket;
  int power = bucket / STEPS + 4;
  return ((int64_t)(STEPS + bucket % STEPS + 1) << (power - 5)) - 1;
}

static uint64_t next_random(uint64_t *state) { /* xorshift64 */
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

static bool is_wrong(enum expectation expected, const struct path *path, bool denied) {
  return expected != EITHER && denied != (expected == DENY && path->denied);
}

/* A verdict is judged if the phase did not change while it was waited for. */
static void count_open(struct opener *opener, int phase, const struct path *path, int error, int64_t ns) {
  struct counts *counts = &opener->counts[phase];
  bool denied = error == EPERM || error == EACCES;
  counts->opens++;
  counts->denied += denied;
  counts->failed += error != 0 && !denied;
  counts->buckets[bucket_of(ns)]++;
  if (ns > counts->max_ns) counts->max_ns = ns;
  if (shared->phase != phase || !is_wrong(shared->expected[phase], path, denied)) return;
  if (counts->wrong++ == 0) strcpy(opener->wrong_path, path->text);
}

static void open_one(struct opener *opener, const struct path *path) {
  int phase = shared->phase;
  opener->phase = phase;
  int64_t start = now_ns();
  opener->since_ns = start;
  int fd = open(path->text, O_RDONLY | O_CLOEXEC), error = fd < 0 ? errno : 0;
  int64_t end = now_ns();
  opener->since_ns = 0;
  if (fd >= 0) close(fd);
  count_open(opener, phase, path, error, end - start);
}

static void run_opener(int number) {
  uint64_t state = 88172645463325252ULL + (uint64_t)number * 7919;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) open_one(&shared->openers[number], &paths[next_random(&state) % (uint64_t)path_count]);
}

/* ---- the phases, and what is said of each ---- */

/* Until every opener has left the phase, or is stuck in it for ten seconds. @returns how many are */
static int wait_for_openers(int count, int phase) {
  int64_t deadline = now_ns() + 10000000000LL;
  for (;;) {
    int inside = 0;
    for (int i = 0; i < count; i++) {
      struct opener *opener = &shared->openers[i];
      inside += opener->phase <= phase && opener->since_ns != 0;
    }
    if (inside == 0 || now_ns() > deadline) return inside;
    nanosleep(&(struct timespec){0, 1000000}, NULL);
  }
}

static int64_t quantile(const struct counts *counts, double fraction) {
  int64_t wanted = (int64_t)((double)counts->opens * fraction), seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    if ((seen += counts->buckets[i]) > wanted) return ns_of(i) < counts->max_ns ? ns_of(i) : counts->max_ns;
  }
  return counts->max_ns;
}

static void add_counts(struct counts *sum, const struct counts *counts) {
  sum->opens += counts->opens;
  sum->denied += counts->denied;
  sum->wrong += counts->wrong;
  sum->failed += counts->failed;
  if (counts->max_ns > sum->max_ns) sum->max_ns = counts->max_ns;
  for (int i = 0; i < BUCKETS; i++) sum->buckets[i] += counts->buckets[i];
}

static void report(int count, int phase, int64_t ns) {
  static struct counts sum;
  const char *wrong = "";
  int stuck = wait_for_openers(count, phase);
  memset(&sum, 0, sizeof sum);
  for (int i = 0; i < count; i++) {
    struct opener *opener = &shared->openers[i];
    add_counts(&sum, &opener->counts[phase]);
    int64_t since = opener->since_ns;
    if (since != 0 && opener->phase <= phase && now_ns() - since > sum.max_ns) sum.max_ns = now_ns() - since;
    if (opener->counts[phase].wrong > 0) wrong = opener->wrong_path;
  }
  printf("{\"ns\":%" PRId64 ",\"opens\":%" PRId64 ",\"denied\":%" PRId64 ",\"wrong\":%" PRId64
         ",\"failed\":%" PRId64 ",\"stuck\":%d,\"p50Ns\":%" PRId64 ",\"p99Ns\":%" PRId64 ",\"p999Ns\":%" PRId64
         ",\"maxNs\":%" PRId64 ",\"wrongPath\":\"%s\"}\n",
         ns, sum.opens, sum.denied, sum.wrong, sum.failed, stuck, quantile(&sum, 0.5), quantile(&sum, 0.99),
         quantile(&sum, 0.999), sum.max_ns, wrong);
  fflush(stdout);
}

static int expectation_of(const char *line) {
  for (int i = 0; i < 3; i++)
    if (strncmp(line, expectations[i], strlen(expectations[i])) == 0) return i;
  return -1;
}

static void start_openers(pid_t *pids, int count) {
  for (int i = 0; i < count; i++) {
    pids[i] = check(fork(), "fork");
    if (pids[i] == 0) run_opener(i);
  }
}

/* Who waits for a verdict dies of SIGKILL all the same. */
static void end_openers(const pid_t *pids, int count) {
  for (int i = 0; i < count; i++) kill(pids[i], SIGKILL);
  while (waitpid(-1, NULL, 0) > 0) {}
}

/*
 * open DIR COUNT SUFFIX: COUNT processes that open and close files of the tree, by lot.
 *
 * Each line on stdin, "none", "deny" or "either", begins a phase, and ends the one before, of which one
 * line is reported. Any other line, or the end of stdin, is the end.
 */
static int open_files(char **arguments) {
  pid_t pids[OPENERS_MAX];
  char line[64];
  int count = atoi(arguments[1]), phase = 0;
  denied_suffix = arguments[2];
  walk(arguments[0], NULL, add_path);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED || count < 1 || count > OPENERS_MAX || path_count == 0) die("cannot start");
  if (!fgets(line, sizeof line, stdin) || expectation_of(line) < 0) return 2;
  shared->expected[0] = expectation_of(line);
  start_openers(pids, count);
  for (bool more = true; more;) {
    int64_t start = now_ns();
    more = fgets(line, sizeof line, stdin) && expectation_of(line) >= 0 && phase + 1 < PHASES_MAX;
    int64_t end = now_ns();
    if (more) shared->expected[phase + 1] = expectation_of(line);
    shared->phase = phase + 1 < PHASES_MAX ? phase + 1 : phase;
    report(count, phase++, end - start);
  }
  end_openers(pids, count);
  return 0;
}

/* open-each DIR: every file once. */
static int open_each(char **arguments) {
  denied_suffix = "";
  walk(arguments[0], NULL, add_path);
  for (int i = 0; i < path_count; i++) {
    int fd = open(paths[i].text, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) close(fd);
  }
  return 0;
}

/* make-tree DIR DIRECTORIES FILES SUFFIX: every tenth file has the suffix. */
static int make_tree(char **arguments) {
  int directories = atoi(arguments[1]), files = atoi(arguments[2]);
  for (int d = 0; d < directories; d++) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/d%d", arguments[0], d);
    check(mkdir(path, 0755), path);
    for (int f = 0; f < files; f++) {
      snprintf(path, sizeof path, "%s/d%d/f%d%s", arguments[0], d, f, f % 10 == 9 ? arguments[3] : ".txt");
      int fd = check(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), path);
      check((int)write(fd, "text\n", 5), path);
      close(fd);
    }
  }
  return 0;
}

/* ---- listeners ---- */

static int group;

static void mark(const char *directory) {
  check(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_EVENT_ON_CHILD, AT_FDCWD, directory), directory);
}

static uint32_t always_allow(int fd) {
  (void)fd;
  return FAN_ALLOW;
}

/* By the path that the kernel has for it now. */
static uint32_t by_suffix(int fd) {
  char link[32], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path);
  return length > 0 && ends_with(path, (size_t)length, denied_suffix) ? FAN_DENY : FAN_ALLOW;
}

static void answer(int fd, uint32_t response) {
  struct fanotify_response verdict = {fd, response};
  check((int)write(group, &verdict, sizeof verdict), "write");
  close(fd);
}

/* Read many, answer one by one: the kernel takes one answer a write. */
/* The niceness of facron's gate thread and of fapolicyd, so that what is compared is the work. */
static const int listener_niceness = -14;

static void listen_to(const char *directory, uint32_t (*decide)(int fd)) {
  setpriority(PRIO_PROCESS, 0, listener_niceness); /* without CAP_SYS_NICE it stays as it is */
  static char events[16 * 1024] __attribute__((aligned(8)));
  group = check(fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
                              O_RDONLY | O_CLOEXEC | O_LARGEFILE),
                "fanotify_init");
  walk(directory, mark, NULL);
  fputs("ready\n", stderr);
  for (ssize_t n; (n = read(group, events, sizeof events)) > 0;) {
    const struct fanotify_event_metadata *event = (void *)events;
    for (; FAN_EVENT_OK(event, n); event = FAN_EVENT_NEXT(event, n)) answer(event->fd, decide(event->fd));
  }
  die("read");
}

/* allow DIR: the floor. Every directory below is marked, as facron does it. */
static int allow(char **arguments) {
  listen_to(arguments[0], always_allow);
  return 1;
}

/* deny-suffix DIR SUFFIX: the least that has to be done for a verdict by name. */
static int deny_suffix(char **arguments) {
  denied_suffix = arguments[1];
  listen_to(arguments[0], by_suffix);
  return 1;
}

struct command {
  const char *name;
  int arguments;
  int (*run)(char **arguments);
};

static const struct command commands[] = {
    {"make-tree", 4, make_tree}, {"open", 3, open_files},         {"open-each", 1, open_each},
    {"allow", 1, allow},         {"deny-suffix", 2, deny_suffix},
};

int main(int argc, char **argv) {
  for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
    if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 == commands[i].arguments)
      return commands[i].run(argv + 2);
  }
  fputs("bench-gate: unknown sub-command, or arguments missing; see the comments in bench-gate.c\n", stderr);
  return 2;
}
