/**
 * The C library: the only dlopen of the program and the only import of bun:ffi.
 *
 * Each symbol has its C prototype above it. Structs and paths are passed as byte arrays, so that a
 * file name which is not UTF-8 crosses unchanged. A call costs about 7 ns.
 */
import { CString, dlopen, type Pointer, ptr, toArrayBuffer } from "bun:ffi";

const prototypes = {
  // int *__errno_location(void);
  __errno_location: { args: [], returns: "ptr" },
  // char *strerror(int errnum);
  strerror: { args: ["i32"], returns: "cstring" },

  // int inotify_init1(int flags);
  inotify_init1: { args: ["i32"], returns: "i32" },
  // int inotify_add_watch(int fd, const char *pathname, uint32_t mask);
  inotify_add_watch: { args: ["i32", "buffer", "u32"], returns: "i32" },
  // int inotify_rm_watch(int fd, int wd);
  inotify_rm_watch: { args: ["i32", "i32"], returns: "i32" },

  // int fanotify_init(unsigned int flags, unsigned int event_f_flags);
  fanotify_init: { args: ["u32", "u32"], returns: "i32" },
  // int fanotify_mark(int fanotify_fd, unsigned int flags, uint64_t mask, int dirfd, const char *pathname);
  fanotify_mark: { args: ["i32", "u32", "u64", "i32", "buffer"], returns: "i32" },
  // int name_to_handle_at(int dirfd, const char *pathname, struct file_handle *handle, int *mount_id, int flags);
  name_to_handle_at: { args: ["i32", "buffer", "buffer", "buffer", "i32"], returns: "i32" },
  // int open_by_handle_at(int mount_fd, struct file_handle *handle, int flags);
  open_by_handle_at: { args: ["i32", "buffer", "i32"], returns: "i32" },
  // int statfs(const char *path, struct statfs *buf);
  statfs: { args: ["buffer", "buffer"], returns: "i32" },
  // int fstatfs(int fd, struct statfs *buf);
  fstatfs: { args: ["i32", "buffer"], returns: "i32" },

  // int poll(struct pollfd *fds, nfds_t nfds, int timeout);
  poll: { args: ["buffer", "u64", "i32"], returns: "i32" },
  // ssize_t read(int fd, void *buf, size_t count);   (counts here are far below 2 GiB)
  read: { args: ["i32", "buffer", "u64"], returns: "i32" },
  // ssize_t write(int fd, const void *buf, size_t count);
  write: { args: ["i32", "buffer", "u64"], returns: "i32" },
  // int socket(int domain, int type, int protocol);
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  // int setsockopt(int sockfd, int level, int optname, const void *optval, socklen_t optlen);
  setsockopt: { args: ["i32", "i32", "i32", "buffer", "u32"], returns: "i32" },
  // ssize_t send(int sockfd, const void *buf, size_t len, int flags);
  send: { args: ["i32", "buffer", "u64", "i32"], returns: "i32" },
  // int socketpair(int domain, int type, int protocol, int sv[2]);
  socketpair: { args: ["i32", "i32", "i32", "buffer"], returns: "i32" },
  // ssize_t sendmsg(int sockfd, const struct msghdr *msg, int flags);
  sendmsg: { args: ["i32", "buffer", "i32"], returns: "i32" },
  // ssize_t recvmsg(int sockfd, struct msghdr *msg, int flags);
  recvmsg: { args: ["i32", "buffer", "i32"], returns: "i32" },
  // int open(const char *pathname, int flags, mode_t mode);
  open: { args: ["buffer", "i32", "u32"], returns: "i32" },
  // int openat(int dirfd, const char *pathname, int flags, mode_t mode);
  openat: { args: ["i32", "buffer", "i32", "u32"], returns: "i32" },
  // off_t lseek(int fd, off_t offset, int whence);   (only ever to the start)
  lseek: { args: ["i32", "i64", "i32"], returns: "i32" },
  // int close(int fd);
  close: { args: ["i32"], returns: "i32" },
  // int dup2(int oldfd, int newfd);
  dup2: { args: ["i32", "i32"], returns: "i32" },
  // int fcntl(int fd, int op, int arg);
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  // int ioctl(int fd, unsigned long op, void *arg);
  ioctl: { args: ["i32", "u64", "buffer"], returns: "i32" },
  // int eventfd(unsigned int initval, int flags);
  eventfd: { args: ["u32", "i32"], returns: "i32" },
  // int timerfd_create(int clockid, int flags);
  timerfd_create: { args: ["i32", "i32"], returns: "i32" },
  // int timerfd_settime(int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old_value);
  timerfd_settime: { args: ["i32", "i32", "buffer", "ptr"], returns: "i32" },
  // int epoll_create1(int flags);
  epoll_create1: { args: ["i32"], returns: "i32" },
  // int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
  epoll_ctl: { args: ["i32", "i32", "i32", "buffer"], returns: "i32" },
  // int flock(int fd, int op);
  flock: { args: ["i32", "i32"], returns: "i32" },
  // int mkfifo(const char *pathname, mode_t mode);
  mkfifo: { args: ["buffer", "u32"], returns: "i32" },
  // int pipe2(int pipefd[2], int flags);
  pipe2: { args: ["buffer", "i32"], returns: "i32" },
  // ssize_t readlink(const char *pathname, char *buf, size_t bufsiz);
  readlink: { args: ["buffer", "buffer", "u64"], returns: "i32" },
  // ssize_t readlinkat(int dirfd, const char *pathname, char *buf, size_t bufsiz);
  readlinkat: { args: ["i32", "buffer", "buffer", "u64"], returns: "i32" },
  // long syscall(long number, ...);   (getdents64 and statx: not every libc exports them)
  syscall: { args: ["i64", "i64", "ptr", "i64", "i64", "ptr"], returns: "i32" },

  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "i64" },
  // int prctl(int op, ...);   (always called with one argument, a number or an address)
  prctl: { args: ["i32", "u64"], returns: "i32" },
  // void _exit(int status);
  _exit: { args: ["i32"], returns: "void" },

  // int clock_gettime(clockid_t clockid, struct timespec *tp);
  clock_gettime: { args: ["i32", "buffer"], returns: "i32" },
  // int clock_getres(clockid_t clockid, struct timespec *res);
  clock_getres: { args: ["i32", "buffer"], returns: "i32" },

  // int execve(const char *pathname, char *const argv[], char *const envp[]);
  execve: { args: ["buffer", "buffer", "buffer"], returns: "i32" },
  // int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *file_actions,
  //                 const posix_spawnattr_t *attrp, char *const argv[], char *const envp[]);
  posix_spawn: {
    args: ["buffer", "buffer", "buffer", "buffer", "buffer", "buffer"],
    returns: "i32",
  },
  // int posix_spawn_file_actions_init(posix_spawn_file_actions_t *file_actions);
  posix_spawn_file_actions_init: { args: ["buffer"], returns: "i32" },
  // int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *, int fd, const char *path, int oflag, mode_t mode);
  posix_spawn_file_actions_addopen: {
    args: ["buffer", "i32", "buffer", "i32", "u32"],
    returns: "i32",
  },
  // int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *file_actions, int fd, int newfd);
  posix_spawn_file_actions_adddup2: { args: ["buffer", "i32", "i32"], returns: "i32" },
  // int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *file_actions, int fd);
  posix_spawn_file_actions_addclose: { args: ["buffer", "i32"], returns: "i32" },
  // int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *file_actions);
  posix_spawn_file_actions_destroy: { args: ["buffer"], returns: "i32" },
  // int posix_spawnattr_init(posix_spawnattr_t *attr);
  posix_spawnattr_init: { args: ["buffer"], returns: "i32" },
  // int posix_spawnattr_setflags(posix_spawnattr_t *attr, short flags);
  posix_spawnattr_setflags: { args: ["buffer", "i16"], returns: "i32" },
  // int posix_spawnattr_setpgroup(posix_spawnattr_t *attr, pid_t pgroup);
  posix_spawnattr_setpgroup: { args: ["buffer", "i32"], returns: "i32" },
  // int posix_spawnattr_setsigdefault(posix_spawnattr_t *attr, const sigset_t *sigdefault);
  posix_spawnattr_setsigdefault: { args: ["buffer", "buffer"], returns: "i32" },
  // int posix_spawnattr_setsigmask(posix_spawnattr_t *attr, const sigset_t *sigmask);
  posix_spawnattr_setsigmask: { args: ["buffer", "buffer"], returns: "i32" },
  // pid_t waitpid(pid_t pid, int *wstatus, int options);
  waitpid: { args: ["i32", "buffer", "i32"], returns: "i32" },
  // int waitid(idtype_t idtype, id_t id, siginfo_t *infop, int options);
  waitid: { args: ["i32", "u32", "buffer", "i32"], returns: "i32" },
  // int kill(pid_t pid, int sig);
  kill: { args: ["i32", "i32"], returns: "i32" },
  // pid_t getpgid(pid_t pid);
  getpgid: { args: ["i32"], returns: "i32" },
  // int setpriority(int which, id_t who, int prio);
  setpriority: { args: ["i32", "u32", "i32"], returns: "i32" },
  // mode_t umask(mode_t mask);
  umask: { args: ["u32"], returns: "u32" },
  // int chdir(const char *path);
  chdir: { args: ["buffer"], returns: "i32" },
  // int mkdir(const char *pathname, mode_t mode);
  mkdir: { args: ["buffer", "u32"], returns: "i32" },
  // int rmdir(const char *pathname);
  rmdir: { args: ["buffer"], returns: "i32" },
  // sighandler_t signal(int signum, sighandler_t handler);
  signal: { args: ["i32", "i64"], returns: "i64" },
  // int sigprocmask(int how, const sigset_t *set, sigset_t *oldset);
  sigprocmask: { args: ["i32", "buffer", "ptr"], returns: "i32" },
  // int prlimit(pid_t pid, int resource, const struct rlimit *new_limit, struct rlimit *old_limit);
  prlimit: { args: ["i32", "i32", "ptr", "ptr"], returns: "i32" },

  // struct passwd *getpwnam(const char *name);
  getpwnam: { args: ["buffer"], returns: "ptr" },
  // struct passwd *getpwuid(uid_t uid);
  getpwuid: { args: ["u32"], returns: "ptr" },
  // struct passwd *getpwent(void);
  getpwent: { args: [], returns: "ptr" },
  // void setpwent(void);
  setpwent: { args: [], returns: "void" },
  // void endpwent(void);
  endpwent: { args: [], returns: "void" },
  // int getgrouplist(const char *user, gid_t group, gid_t *groups, int *ngroups);
  getgrouplist: { args: ["buffer", "u32", "buffer", "buffer"], returns: "i32" },
  // struct group *getgrnam(const char *name);
  getgrnam: { args: ["buffer"], returns: "ptr" },
  // int setgroups(size_t size, const gid_t *list);
  setgroups: { args: ["u64", "buffer"], returns: "i32" },
  // int setresgid(gid_t rgid, gid_t egid, gid_t sgid);
  setresgid: { args: ["u32", "u32", "u32"], returns: "i32" },
  // int setresuid(uid_t ruid, uid_t euid, uid_t suid);
  setresuid: { args: ["u32", "u32", "u32"], returns: "i32" },
  // int capset(cap_user_header_t header, const cap_user_data_t data);
  capset: { args: ["buffer", "buffer"], returns: "i32" },
  // int fchown(int fd, uid_t owner, gid_t group);
  fchown: { args: ["i32", "u32", "u32"], returns: "i32" },
  // int faccessat(int dirfd, const char *pathname, int mode, int flags);
  faccessat: { args: ["i32", "buffer", "i32", "i32"], returns: "i32" },

  // void openlog(const char *ident, int option, int facility);
  openlog: { args: ["buffer", "i32", "i32"], returns: "void" },
  // void syslog(int priority, const char *format, ...);   (always called with "%s" and one string)
  syslog: { args: ["i32", "buffer", "buffer"], returns: "void" },
} as const;

/** What an older libc may lack. */
const laterPrototypes = {
  // int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *path);
  posix_spawn_file_actions_addchdir_np: { args: ["buffer", "buffer"], returns: "i32" },
} as const;

/** glibc on every architecture first, then musl's own names for its libc. */
const libraries = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

function openLibc() {
  const failures: string[] = [];
  for (const name of libraries) {
    try {
      return dlopen(name, prototypes);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(`Cannot open the C library: ${failures.join("; ")}`);
}

export const libc = openLibc().symbols;

/** Null before glibc 2.29 and musl 1.1.24. */
export const laterLibc = openLaterLibc();

function openLaterLibc() {
  for (const name of libraries) {
    try {
      return dlopen(name, laterPrototypes).symbols;
    } catch {
      continue; // another libc, or one without them
    }
  }
  return null;
}

/** Address of `bytes`, for structs that hold pointers. `bytes` must outlive the use of it. */
export function addressOf(bytes: Uint8Array | Int32Array | BigUint64Array): number {
  return ptr(bytes);
}

/** A copy of the memory at an address that libc gave. */
export function bytesAt(address: number | bigint, length: number): Uint8Array {
  return new Uint8Array(toArrayBuffer(address as Pointer, 0, length)).slice();
}

/** The memory itself at an address that libc gave: not ours to free, and never collected. */
export function memoryAt(address: number, length: number): ArrayBuffer {
  return toArrayBuffer(address as Pointer, 0, length);
}

/** The string at an address that libc gave; what is not UTF-8 becomes U+FFFD. */
export function stringAt(address: number): string {
  return new CString(address as Pointer).toString();
}

const errnoView = new Int32Array(toArrayBuffer(libc.__errno_location() as never, 0, 4));

/** errno of this thread, as the last failing call left it: read it before the next call. */
export function lastErrno(): number {
  return errnoView[0]!;
}
