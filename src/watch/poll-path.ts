/** Paths for system calls, put together in one buffer. */

/** PATH_MAX, and a name behind it: the kernel refuses what is longer itself. */
const bytesMax = 4096 + 256;

export class PathBuffer {
  readonly #bytes = new Uint8Array(bytesMax);
  #prefixEnd = 0;

  /** The directory in which names are looked at. @param prefix with its slash, or a whole path */
  setPrefix(prefix: Uint8Array): void {
    this.#prefixEnd = Math.min(prefix.length, bytesMax - 256);
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
