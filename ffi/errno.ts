/** Where a C call's -1 becomes an error, and where errno gets its name. */
import { lastErrno, libc } from "./libc.ts";

/** Linux errno numbers that the program tells apart (asm-generic: the same on x64 and arm64). */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  ENXIO: 6,
  E2BIG: 7,
  ENOEXEC: 8,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ETXTBSY: 26,
  ENOSPC: 28,
  EROFS: 30,
  EPIPE: 32,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ELOOP: 40,
  EREMOTE: 66,
  EOVERFLOW: 75,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ECONNREFUSED: 111,
  ESTALE: 116,
} as const;

const nameByErrno = new Map<number, string>(
  Object.entries(Errno).map(([name, value]) => [value, name]),
);

/** A system call that failed, with the words of strerror(3). */
export class SyscallError extends Error {
  override readonly name = "SyscallError";
  readonly syscall: string;
  readonly errno: number;

  constructor(syscall: string, errno: number) {
    super(`${syscall}: ${errnoText(errno)}`);
    this.syscall = syscall;
    this.errno = errno;
  }

  /** "ENOENT", or "errno 123" for one that has no name here. */
  get code(): string {
    return nameByErrno.get(this.errno) ?? `errno ${this.errno}`;
  }
}

/** strerror(3), as a sentence has it: "no such file or directory". */
export function errnoText(errno: number): string {
  const text = libc.strerror(errno) ?? `errno ${errno}`;
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** Pass a C result through, or throw what errno says. @throws {SyscallError} if `result` is negative */
export function check(result: number, syscall: string): number {
  if (result < 0) throw new SyscallError(syscall, lastErrno());
  return result;
}
