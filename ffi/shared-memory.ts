/** mmap(2) of memory that several processes and threads look at. */
import { SyscallError } from "./errno.ts";
import { lastErrno, libc, memoryAt } from "./libc.ts";

export const PROT_READ = 0x1;
export const PROT_WRITE = 0x2;
export const MAP_SHARED = 0x1;

/**
 * The 32-bit numbers of a `sharedMemoryFile`, for `Atomics`: whoever maps the same file sees what is stored.
 *
 * The mapping is there until the process ends; the descriptor may be closed. A Worker maps the file anew:
 * what this gives cannot be sent to it.
 *
 * @param fd open for reading and writing
 * @param count how many; the file must have as many
 * @throws {SyscallError} ENOMEM; EACCES
 */
export function mapInts(fd: number, count: number): Int32Array {
  const bytes = count * Int32Array.BYTES_PER_ELEMENT;
  const address = libc.mmap(null, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address === -1n) throw new SyscallError("mmap", lastErrno()); // MAP_FAILED
  return new Int32Array(memoryAt(Number(address), bytes));
}
