/** A directory held open for a moment: whatever becomes of its path, it is this one. */
import { cString, utf8 } from "../../ffi/bytes.ts";
import { type Fd, O, openFd } from "../../ffi/fd.ts";

const flags = O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.NONBLOCK;

/** Never kept for long: a descriptor keeps its filesystem from being unmounted. */
export class OpenDirectory implements Disposable {
  readonly #fd: Fd;
  /** A path that leads to it, NUL-terminated: proc_pid_fd(5). */
  readonly path: Uint8Array;
  readonly #prefix: Uint8Array;

  constructor(fd: Fd) {
    this.#fd = fd;
    this.#prefix = utf8(`/proc/self/fd/${fd.number}/`);
    this.path = cString(this.#prefix.subarray(0, -1));
  }

  /** @param path NUL-terminated; a symbolic link is not followed. @throws {SyscallError} as open(2) */
  static at(path: Uint8Array): OpenDirectory {
    return new OpenDirectory(openFd(path, flags));
  }

  /** The same, and a symbolic link is. */
  static follow(path: Uint8Array): OpenDirectory {
    return new OpenDirectory(openFd(path, flags & ~O.NOFOLLOW));
  }

  /** The path of an entry, NUL-terminated. */
  entry(name: Uint8Array): Uint8Array {
    const prefix = this.#prefix;
    const path = new Uint8Array(prefix.length + name.length + 1);
    path.set(prefix);
    path.set(name, prefix.length);
    return path;
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }
}
