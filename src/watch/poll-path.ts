/** Paths for system calls, put together in one buffer: of a directory, and of the names in it. */
import { AT, type Fd, openEntry, openFd } from "../../ffi/fd.ts";
import type { RawStatus } from "../../ffi/files.ts";
import { OpenDirectory } from "./open-directory.ts";
import { type Node, pathForCall } from "./tree.ts";

/** <linux/limits.h>, the NUL included: the kernel takes no longer path in one call. */
const PATH_MAX = 4096;
const NAME_MAX = 255;

const itself = new Uint8Array(1);
const noName = new Uint8Array(0);

/** Room for a name behind what is too long already: the kernel refuses that itself. */
const bytesMax = PATH_MAX + NAME_MAX + 1;

export class PathBuffer {
  readonly #bytes = new Uint8Array(bytesMax);
  readonly #name = new Uint8Array(bytesMax);
  #prefixEnd = 0;
  /** The directory itself, while it is open. */
  #held: Fd | null = null;

  /** The directory in which names are looked at. @param prefix with its slash, or a whole path */
  setPrefix(prefix: Uint8Array): void {
    this.#prefixEnd = Math.min(prefix.length, PATH_MAX);
    this.#bytes.set(prefix.subarray(0, this.#prefixEnd));
  }

  /** From now on names are those in the directory that is open, whatever comes to its path. */
  hold(directory: Fd): void {
    this.#held = directory;
  }

  release(): void {
    this.#held = null;
  }

  /** What leads to the directory. NUL-terminated, valid until the next call. */
  get directory(): Uint8Array {
    return this.#join(noName);
  }

  /** statx(2) of an entry. @returns as `RawStatus.read` */
  read(status: RawStatus, name: Uint8Array, flags: number): number {
    if (this.#held === null) return status.read(this.#join(name), flags);
    this.#name.set(name);
    this.#name[name.length] = 0;
    return status.read(this.#name, flags, this.#held.number);
  }

  /** Open an entry. @throws {SyscallError} as open(2) */
  open(name: Uint8Array, flags: number): Fd {
    if (this.#held === null) return openFd(this.#join(name), flags);
    return openEntry(this.#held.number, name, flags);
  }

  #join(name: Uint8Array): Uint8Array {
    const end = this.#prefixEnd + name.length;
    this.#bytes.set(name, this.#prefixEnd);
    this.#bytes[end] = 0;
    return this.#bytes;
  }
}

/** statx(2) of what a descriptor is open on. @returns as `RawStatus.read` */
export function readOpen({ number }: Fd, status: RawStatus): number {
  return status.read(itself, AT.EMPTY_PATH | AT.STATX_FORCE_SYNC, number);
}

/** A directory whose path is too long for the names in it, held open; null for all others. @throws {SyscallError} as open(2) */
export function openIfDeep(node: Node): OpenDirectory | null {
  return node.prefix.raw.length + NAME_MAX < PATH_MAX ? null : openDeep(node);
}

function openDeep(node: Node): OpenDirectory {
  const path = pathForCall(node);
  if (node.parent === null) return OpenDirectory.follow(path);
  if (path.length <= PATH_MAX) return OpenDirectory.at(path);
  using parent = openDeep(node.parent);
  return OpenDirectory.at(parent.entry(node.name));
}
