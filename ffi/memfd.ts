/** memfd_create(2): bytes as a file without a name, to be read by another process or shared with it. */
import { utf8 } from "./bytes.ts";
import { check, Errno } from "./errno.ts";
import { Fd, writeNow } from "./fd.ts";
import { SEEK_SET } from "./files.ts";
import { addressOf, lastErrno, libc } from "./libc.ts";

/** Not every libc exports it (glibc 2.27). */
export const systemCallNumbers = {
  x64: { memfd_create: 319 },
  arm64: { memfd_create: 279 },
} as const;

const numbers = systemCallNumbers[process.arch === "arm64" ? "arm64" : "x64"];

export const MFD_CLOEXEC = 0x1;
export const MFD_ALLOW_SEALING = 0x2;
/** Linux 6.3; where vm.memfd_noexec is 2 there is none without it. */
export const MFD_NOEXEC_SEAL = 0x8;

export const F_ADD_SEALS = 1033;
export const F_SEAL_SEAL = 0x1;
export const F_SEAL_SHRINK = 0x2;
export const F_SEAL_GROW = 0x4;
export const F_SEAL_WRITE = 0x8;

const name = utf8("facron\0");

/**
 * A file in memory with these bytes, which nobody can change, to be read from its start.
 *
 * @throws {SyscallError} EMFILE, ENFILE, ENOMEM; ENOSPC where no memory is left; EFBIG above RLIMIT_FSIZE
 */
export function memoryFile(bytes: Uint8Array): Fd {
  return fileWith(bytes, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

/**
 * Memory for several processes, all zero, of a size that nobody can change: a mapping of it never ends in
 * SIGBUS.
 *
 * @throws {SyscallError} as `memoryFile`
 */
export function sharedMemoryFile(size: number): Fd {
  return fileWith(new Uint8Array(size), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW);
}

function fileWith(bytes: Uint8Array, seals: number): Fd {
  const file = new Fd(check(createMemfd(), "memfd_create"));
  try {
    fill(file.number, bytes);
    check(libc.fcntl(file.number, F_ADD_SEALS, seals), "fcntl F_ADD_SEALS");
    check(libc.lseek(file.number, 0, SEEK_SET), "lseek");
  } catch (error) {
    file.close();
    throw error;
  }
  return file;
}

function createMemfd(): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const fd = memfdCreate(flags | MFD_NOEXEC_SEAL);
  return fd < 0 && lastErrno() === Errno.EINVAL ? memfdCreate(flags) : fd;
}

/** The second argument of syscall(2) is a pointer for its other users: a number is passed alike. */
function memfdCreate(flags: number): number {
  return libc.syscall(numbers.memfd_create, addressOf(name), flags as never, 0, 0, null);
}

function fill(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeNow(fd, bytes.subarray(at));
}
