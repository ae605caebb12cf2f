/** Paths for system calls, put together in one buffer. */
import { OpenDirectory } from "./open-directory.ts";
import { type Node, pathForCall } from "./tree.ts";

/** <linux/limits.h>, the NUL included: the kernel takes no longer path in one call. */
const PATH_MAX = 4096;
const NAME_MAX = 255;

/** Room for a name behind what is too long already: the kernel refuses that itself. */
const bytesMax = PATH_MAX + NAME_MAX + 1;

export class PathBuffer {
  readonly #bytes = new Uint8Array(bytesMax);
  #prefixEnd = 0;

  /** The directory in which names are looked at. @param prefix with its slash, or a whole path */
  setPrefix(prefix: Uint8Array): void {
    this.#prefixEnd = Math.min(prefix.length, PATH_MAX);
    this.#bytes.set(prefix.subarray(0, this.#prefixEnd));
  }

  /** NUL-terminated, valid until the next call. */
  join(name: Uint8Array): Uint8Array {
    const end = this.#prefixEnd + name.length;
    this.#bytes.set(name, this.#prefixEnd);
    this.#bytes[end] = 0;
    return this.#bytes;
  }
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
