/** Descriptors that close themselves, and the calls on them that never block. */
import { lastErrno, libc } from "./libc.ts";
import { check, Errno, SyscallError } from "./errno.ts";

/** open(2) flags, asm-generic (O_DIRECTORY and O_NOFOLLOW differ on arm64). */
const isArm64 = process.arch === "arm64";
export const O = {
  RDONLY: 0,
  WRONLY: 0o1,
  RDWR: 0o2,
  CREAT: 0o100,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  NOCTTY: 0o400,
  DIRECTORY: isArm64 ? 0o40000 : 0o200000,
  NOFOLLOW: isArm64 ? 0o100000 : 0o400000,
  LARGEFILE: 0, // 64-bit programs: glibc defines it as 0
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
} as const;

export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  HANDLE_FID: 0x200, // Linux 6.5, name_to_handle_at(2) only
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
  STATX_FORCE_SYNC: 0x2000,
  STATX_DONT_SYNC: 0x4000,
} as const;

export const F_SETFD = 2;
export const FD_CLOEXEC = 1;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_DUPFD_CLOEXEC = 1030;
export const F_SETPIPE_SZ = 1031;
export const FIONREAD = 0x541b;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;

/** A descriptor that its scope owns: `using` closes it, and close is safe to call twice. */
export class Fd implements Disposable {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The number. @throws {SyscallError} EBADF once closed */
  get number(): number {
    if (this.#fd < 0) throw new SyscallError("close", Errno.EBADF);
    return this.#fd;
  }

  close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    libc.close(fd); // close(2): the descriptor is gone on Linux even where it reports an error
  }

  /** Whoever gets the number closes it: another thread, most of all. @throws {SyscallError} EBADF once closed */
  release(): number {
    const fd = this.number;
    this.#fd = -1;
    return fd;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** close(2) of a descriptor that came without an owner. */
export function closeDescriptor(fd: number): void {
  libc.close(fd);
}

/** open(2). @param path NUL-terminated. @throws {SyscallError} whatever open gives */
export function openFd(path: Uint8Array, flags: number, mode = 0): Fd {
  return new Fd(check(libc.open(path, flags | O.CLOEXEC, mode), "open"));
}

/** NAME_MAX is 255, and some filesystems have longer names, in characters of several bytes. */
const nameBuffer = new Uint8Array(1024);

/** openat(2): the entry of a directory that is open. @throws {SyscallError} whatever open gives */
export function openEntry(directory: number, name: Uint8Array, flags: number): Fd {
  if (name.length >= nameBuffer.length) throw new SyscallError("open", Errno.ENAMETOOLONG);
  nameBuffer.set(name);
  nameBuffer[name.length] = 0;
  return new Fd(check(libc.openat(directory, nameBuffer, flags | O.CLOEXEC, 0), "open"));
}

/** read(2) on a nonblocking descriptor. @returns bytes read, 0 at the end, -1 for "nothing now" */
export function readNow(fd: number, buffer: Uint8Array): number {
  for (;;) {
    const count = libc.read(fd, buffer, buffer.byteLength);
    if (count >= 0) return count;
    const errno = lastErrno();
    if (errno === Errno.EAGAIN) return -1;
    if (errno !== Errno.EINTR) throw new SyscallError("read", errno);
  }
}

/** read(2) where errors are everyday matters. @returns bytes read, or errno with a minus */
export function readOrErrno(fd: number, buffer: Uint8Array): number {
  const count = libc.read(fd, buffer, buffer.byteLength);
  return count >= 0 ? count : -lastErrno();
}

/** write(2) on a nonblocking descriptor. @returns bytes taken, -1 for "full". @throws {SyscallError} EPIPE */
export function writeNow(fd: number, bytes: Uint8Array): number {
  for (;;) {
    const count = libc.write(fd, bytes, bytes.byteLength);
    if (count >= 0) return count;
    const errno = lastErrno();
    if (errno === Errno.EAGAIN) return -1;
    if (errno !== Errno.EINTR) throw new SyscallError("write", errno);
  }
}

/** send(2) without blocking, whatever flags the socket has. Results as `writeNow`. */
export function sendNow(fd: number, bytes: Uint8Array): number {
  for (;;) {
    const count = libc.send(fd, bytes, bytes.byteLength, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) return count;
    const errno = lastErrno();
    if (errno === Errno.EAGAIN) return -1;
    if (errno !== Errno.EINTR) throw new SyscallError("send", errno);
  }
}

const readableBuffer = new Int32Array(1);

/** Bytes that a read would find now (ioctl FIONREAD: inotify(7), fanotify(7) and pipes answer it). */
export function bytesReadable(fd: number): number {
  check(libc.ioctl(fd, FIONREAD, readableBuffer), "ioctl FIONREAD");
  return readableBuffer[0]!;
}

/** The status flags that fd was opened with (O_APPEND, O_NONBLOCK, access mode). */
export function statusFlags(fd: number): number {
  return check(libc.fcntl(fd, F_GETFL, 0), "fcntl F_GETFL");
}

/** Whether calls on `fd` wait; for whoever has the same open file (fcntl(2), F_SETFL). */
export function setBlocking(fd: number, blocks: boolean): void {
  const flags = statusFlags(fd);
  libc.fcntl(fd, F_SETFL, blocks ? flags & ~O.NONBLOCK : flags | O.NONBLOCK);
}

/** fchown(2). @throws {SyscallError} EPERM */
export function giveTo(fd: number, uid: number, gid: number): void {
  check(libc.fchown(fd, uid, gid), "fchown");
}

/** Ask for a larger pipe: fewer wake-ups for a fast stream. A refusal (EPERM over pipe-max-size) is fine. */
export function growPipe(fd: number, bytes: number): void {
  libc.fcntl(fd, F_SETPIPE_SZ, bytes);
}

/** pipe2(2): nonblocking, close-on-exec. @throws {SyscallError} EMFILE, ENFILE */
export function openPipe(): { readonly read: Fd; readonly write: Fd } {
  const fds = new Int32Array(2);
  check(libc.pipe2(fds, O.CLOEXEC | O.NONBLOCK), "pipe2");
  return { read: new Fd(fds[0]!), write: new Fd(fds[1]!) };
}

/** dup2(2): from now on `fd` is what `by` is. @throws {SyscallError} EBADF */
export function replaceDescriptor(by: number, fd: number): void {
  check(libc.dup2(by, fd), "dup2");
}

/** dup(2): the lowest number that is free, close-on-exec. @throws {SyscallError} EMFILE */
export function duplicate(fd: number): number {
  return check(libc.fcntl(fd, F_DUPFD_CLOEXEC, 0), "fcntl F_DUPFD_CLOEXEC");
}

/** Not for programs that we start (fcntl(2)). One that is closed by now is no error. */
export function keepOnExec(fd: number): void {
  check(libc.fcntl(fd, F_SETFD, 0), "fcntl");
}

export function setCloseOnExec(fd: number): void {
  libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
}
