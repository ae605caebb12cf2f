/** A pipe for concurrent tests, which close what they open themselves. */
import { check } from "../../ffi/errno.ts";
import { Fd, O } from "../../ffi/fd.ts";
import { libc } from "../../ffi/libc.ts";

export interface NewPipe extends Disposable {
  readonly read: Fd;
  readonly write: Fd;
}

export function newPipe(): NewPipe {
  const fds = new Int32Array(2);
  check(libc.pipe2(fds, O.CLOEXEC), "pipe2");
  const read = new Fd(fds[0]!);
  const write = new Fd(fds[1]!);
  const close = () => (read.close(), write.close());
  return { read, write, [Symbol.dispose]: close };
}
