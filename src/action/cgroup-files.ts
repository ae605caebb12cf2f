/** The files of a cgroup (cgroups(7)): read, written, made and removed. All are small, and none blocks. */
import { cString, textOrNull, utf8 } from "../../ffi/bytes.ts";
import { check, Errno, SyscallError } from "../../ffi/errno.ts";
import { O, openFd, readNow, writeNow } from "../../ffi/fd.ts";
import { DT_DIR, listDirectory } from "../../ffi/files.ts";
import { libc } from "../../ffi/libc.ts";

/** @throws {SyscallError} ENOENT, EACCES */
export function readControl(path: string): string {
  using file = openFd(cString(utf8(path)), O.RDONLY);
  const pieces: Uint8Array[] = [];
  for (;;) {
    const piece = new Uint8Array(4096);
    const length = readNow(file.number, piece);
    if (length <= 0) return textOrNull(Buffer.concat(pieces)) ?? "";
    pieces.push(piece.subarray(0, length));
  }
}

/** The same; "" if it can't be read: a cgroup may be gone, and an older kernel may lack the file. */
export function readControlIfAny(path: string): string {
  try {
    return readControl(path);
  } catch (error) {
    if (error instanceof SyscallError) return "";
    throw error;
  }
}

/** In one write(2), as they are read in one. @throws {SyscallError} ENOENT, EACCES, EBUSY, EINVAL */
export function writeControl(path: string, text: string): void {
  using file = openFd(cString(utf8(path)), O.WRONLY);
  writeNow(file.number, utf8(text));
}

/** The number in a line `name number` of a file like memory.events; 0 if there is none. */
export function countIn(path: string, name: string): number {
  const line = readControlIfAny(path)
    .split("\n")
    .find((one) => one.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

/** Move this process, with all its threads. @returns errno, or 0 */
export function joinCgroup(directory: string): number {
  try {
    writeControl(`${directory}/cgroup.procs`, "0"); // 0: who writes it
    return 0;
  } catch (error) {
    if (error instanceof SyscallError) return error.errno;
    throw error;
  }
}

/** mkdir(2). @throws {SyscallError} EEXIST, EACCES, EROFS, EAGAIN (cgroup.max.descendants) */
export function makeDirectory(path: string): void {
  check(libc.mkdir(cString(utf8(path)), 0o755), "mkdir");
}

/**
 * Remove a cgroup and those that its processes have made below it.
 *
 * @returns whether it is gone: one with processes stays (EBUSY)
 */
export function removeCgroup(directory: string): boolean {
  if (isRemoved(directory)) return true;
  for (const child of childrenOf(directory)) removeCgroup(child);
  return isRemoved(directory);
}

function isRemoved(directory: string): boolean {
  try {
    check(libc.rmdir(cString(utf8(directory))), "rmdir");
    return true;
  } catch (error) {
    if (error instanceof SyscallError) return error.errno === Errno.ENOENT;
    throw error;
  }
}

/** Paths of the cgroups right below one. */
export function childrenOf(directory: string): string[] {
  const children: string[] = [];
  try {
    listDirectory(cString(utf8(directory)), (name, type) => {
      const text = textOrNull(name);
      if (type === DT_DIR && text !== null) children.push(`${directory}/${text}`);
    });
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
  return children;
}

/** Every process in it and below it. */
export function processesIn(directory: string): number[] {
  const own = readControlIfAny(`${directory}/cgroup.procs`).split("\n").filter(Boolean).map(Number);
  return [...own, ...childrenOf(directory).flatMap(processesIn)];
}
