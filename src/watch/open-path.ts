/** What is at a path, held for a moment: whatever comes to the path meanwhile, it is this one. */
import { type Fd, O, openFd } from "../../ffi/fd.ts";
import { descriptorPath } from "./descriptor-path.ts";

/** Never kept for long: a descriptor keeps its filesystem from being unmounted. */
export class OpenPath implements Disposable {
  protected readonly fd: Fd;
  /** A path that leads to it, NUL-terminated. */
  readonly path: Uint8Array;

  constructor(fd: Fd) {
    this.fd = fd;
    this.path = descriptorPath(fd.number);
  }

  /**
   * Of any kind, a fifo or a device too: nothing is read, and nobody is told (O_PATH). A symbolic link is
   * followed.
   *
   * @param path NUL-terminated. @throws {SyscallError} as open(2)
   */
  static follow(path: Uint8Array): OpenPath {
    return new OpenPath(openFd(path, O.PATH));
  }

  [Symbol.dispose](): void {
    this.fd.close();
  }
}
