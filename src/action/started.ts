/** A command that has been started: signals for all of it, and whether anything of it is left. */
import { lastErrno, libc } from "../../ffi/libc.ts";
import { Errno } from "../../ffi/errno.ts";
import type { Cgroup } from "./cgroup.ts";
import type { CommandOutput } from "./command-output.ts";
import type { Ending } from "./ending.ts";
import { isOnlyZombies } from "./process-group.ts";

export interface Started {
  /** Also its process group. */
  readonly pid: number;
  /** To its group, and to all of its cgroup. */
  signal(signal: number): void;
  /** Nothing of its group or cgroup is left. What has left both is not known of. */
  isGone(): boolean;
  /** As `isGone`, but what only waits to be reaped counts as gone; it takes milliseconds. */
  isDead(): boolean;
  /** It has ended, and no signal will be sent any more. What still runs in its cgroup runs on there. */
  release(): void;
}

export class StartedCommand implements Started {
  readonly #cgroup: Cgroup | null;
  readonly #output: CommandOutput;
  readonly #onExit: (ending: Ending) => void;
  #pid = 0;
  #hasEnded = false;
  /**
   * For good: its number may be another group's by now. While one process is left in it, the kernel gives
   * the number to nobody.
   */
  #groupIsGone = false;

  constructor(cgroup: Cgroup | null, output: CommandOutput, onExit: (ending: Ending) => void) {
    this.#cgroup = cgroup;
    this.#output = output;
    this.#onExit = onExit;
  }

  get pid(): number {
    return this.#pid;
  }

  begin(pid: number): void {
    this.#pid = pid;
    this.#output.started(pid);
  }

  /** Its first process has. */
  readonly ended = (ending: Ending): void => {
    this.#hasEnded = true;
    this.#lookAtGroup();
    const explained = this.#cgroup?.explain(ending) ?? ending;
    this.#output.ended(() => this.#onExit(explained));
  };

  signal(signal: number): void {
    this.#lookAtGroup();
    if (!this.#groupIsGone) libc.kill(-this.#pid, signal);
    this.#cgroup?.signal(signal, this.#pid);
  }

  isGone(): boolean {
    this.#lookAtGroup();
    return this.#groupIsGone && (this.#cgroup?.isEmpty() ?? true);
  }

  isDead(): boolean {
    if (this.isGone()) return true;
    const isEmpty = this.#cgroup?.isEmpty() ?? true;
    return isEmpty && this.#hasEnded && isOnlyZombies(this.#pid);
  }

  release(): void {
    this.#cgroup?.remove();
  }

  /** Until it has ended, its first process keeps the group, as a zombie at least. */
  #lookAtGroup(): void {
    if (!this.#hasEnded || this.#groupIsGone) return;
    this.#groupIsGone = libc.kill(-this.#pid, 0) < 0 && lastErrno() === Errno.ESRCH;
  }
}
