/** The group of a command: its first process, and all that this started and that stayed in it. */
import { libc } from "../../ffi/libc.ts";
import type { Started } from "./run.ts";

export class ProcessGroup implements Started {
  readonly pid: number;

  constructor(pid: number) {
    this.pid = pid;
  }

  /**
   * kill(2). A first process that has ended is our zombie until we ask for its status, and the number
   * nobody else's; after that it is the group's as long as anything is in it.
   */
  signal(signal: number): void {
    libc.kill(-this.pid, signal);
  }

  isGone(): boolean {
    return libc.kill(-this.pid, 0) !== 0;
  }

  release(): void {}
}
