/** What a descriptor is open on, by name: proc_pid_fd(5), read without strings, as it may be done per event. */
import { libc } from "./libc.ts";
import { cString, utf8 } from "./bytes.ts";
import { type Fd, O, openFd } from "./fd.ts";

/** PATH_MAX: d_path gives no longer one. */
const pathBytesMax = 4096;

/** Digits of a descriptor, and the NUL. */
const nameBytesMax = 12;

/** Of a directory under /proc, which nobody can gate: it is opened once. */
export class DescriptorLinks implements Disposable {
  readonly #directory: Fd;
  readonly #name = new Uint8Array(nameBytesMax);
  /** What the last call found; the next one writes over it. */
  readonly path = new Uint8Array(pathBytesMax);

  /** @throws {SyscallError} ENOENT if /proc is not mounted */
  constructor() {
    this.#directory = openFd(cString(utf8("/proc/self/fd")), O.RDONLY | O.DIRECTORY);
  }

  /**
   * readlinkat(2).
   *
   * @returns bytes of the name, 0 if there is none to be had (ENAMETOOLONG: it is longer than PATH_MAX)
   */
  read(fd: number): number {
    this.#writeName(fd);
    const length = libc.readlinkat(this.#directory.number, this.#name, this.path, pathBytesMax);
    return Math.max(length, 0);
  }

  [Symbol.dispose](): void {
    this.#directory.close();
  }

  #writeName(fd: number): void {
    let digits = 1;
    for (let rest = fd; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    let rest = fd;
    for (let at = digits - 1; at >= 0; at--) {
      this.#name[at] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.#name[digits] = 0;
  }
}
