/** A pipe that nobody reads unless the test does: for stdouts that are slow, full or gone. */
import { check } from "../../ffi/errno.ts";
import { Fd, O } from "../../ffi/fd.ts";
import { libc } from "../../ffi/libc.ts";
import { atTestEnd } from "./at-test-end.ts";

export interface Pipe extends Disposable {
  readonly read: Fd;
  readonly write: Fd;
}

/** Give `write.number` to a process and close it here, else the reader never sees its end. */
export function openPipe({ nonblocking = false } = {}): Pipe {
  const fds = new Int32Array(2);
  check(libc.pipe2(fds, O.CLOEXEC | (nonblocking ? O.NONBLOCK : 0)), "pipe2");
  const pipe = new PipeEnds(new Fd(fds[0]!), new Fd(fds[1]!));
  atTestEnd(() => pipe[Symbol.dispose]());
  return pipe;
}

class PipeEnds implements Pipe {
  readonly read: Fd;
  readonly write: Fd;

  constructor(read: Fd, write: Fd) {
    this.read = read;
    this.write = write;
  }

  [Symbol.dispose](): void {
    this.read.close();
    this.write.close();
  }
}
