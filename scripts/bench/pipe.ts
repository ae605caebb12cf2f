/** A real pipe between two children (Bun's own "pipe" is a socket pair): a FIFO, both ends opened here. */
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import type { Workspace } from "./workspace.ts";

let fifos = 0;

/** A new FIFO, in memory and off the watched mount. */
export function makeFifo(workspace: Workspace): string {
  fifos += 1;
  const path = join(workspace.pipes, `fifo-${fifos}`);
  if (!Bun.spawnSync(["mkfifo", path]).success) throw new Error(`Cannot make "${path}"`);
  return path;
}

export class Pipe implements Disposable {
  readonly readFd: number;
  readonly writeFd: number;
  #writeIsOpen = true;

  constructor(workspace: Workspace) {
    const path = makeFifo(workspace);
    // Both ways first: an open of one end alone waits for the other (fifo(7)).
    const both = openSync(path, constants.O_RDWR);
    this.readFd = openSync(path, constants.O_RDONLY);
    this.writeFd = openSync(path, constants.O_WRONLY);
    closeSync(both);
  }

  /** Once the writer has its copy, so that its end is seen as the end of the pipe. */
  closeWrite(): void {
    if (this.#writeIsOpen) closeSync(this.writeFd);
    this.#writeIsOpen = false;
  }

  [Symbol.dispose](): void {
    this.closeWrite();
    closeSync(this.readFd);
  }
}
