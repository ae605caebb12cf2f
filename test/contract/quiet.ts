/** Waits until facron has told all that has happened, without a time and without touching its watches. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { check } from "../../ffi/errno.ts";
import { bytesReadable, Fd } from "../../ffi/fd.ts";
import { libc } from "../../ffi/libc.ts";
import { waitFor } from "../helpers/wait-for.ts";

/** asm-generic: the same on x64 and arm64. */
const SYS_pidfd_open = 434;
const SYS_pidfd_getfd = 438;

/**
 * The reader waits in poll(2) or ppoll(2), without a timeout or with one of 100 ms and more: nothing is on
 * its way in it. (As long as commands act it looks for new processes now and then; all else is sooner.)
 */
const waitsForLong =
  process.arch === "arm64"
    ? /^73 0x[0-9a-f]+ 0x[0-9a-f]+ 0x0 / // ppoll: struct timespec *NULL
    : /^7 0x[0-9a-f]+ 0x[0-9a-f]+ 0x(ffffffff|[0-9a-f]{3,}|6[4-9a-f]|[7-9a-f][0-9a-f]) /;

/**
 * Rounds of polling after which all is told: one may be under way and past the place, the next sees what
 * was done, one more that it is complete or gone for good. With what follows from that: two without a word.
 */
const roundsAtLeast = 4;
const roundsWithoutWord = 2;

/**
 * The kernel queues a record before the call that made it returns. So when what was done is done, facron
 * has told of it as soon as its queues are empty and its reader waits again.
 */
export class Quiet implements Disposable {
  readonly #pid: number;
  readonly #pidfd: Fd;
  #queues = new Map<string, Fd>();

  /** How much facron has told, if it polls; null if it does not. */
  readonly #told: (() => number) | null;

  /** @param pid of a facron that is ready */
  constructor(pid: number, told: (() => number) | null = null) {
    this.#pid = pid;
    this.#told = told;
    this.#pidfd = new Fd(check(libc.syscall(SYS_pidfd_open, pid, null, 0, 0, null), "pidfd_open"));
  }

  /** How much waits in the kernel's queues. */
  get queuedBytes(): number {
    this.#findQueues();
    return [...this.#queues.values()].reduce((sum, queue) => sum + bytesReadable(queue.number), 0);
  }

  /** The process has ended. */
  get isOver(): boolean {
    return !existsSync(`/proc/${this.#pid}/fd`);
  }

  async wait(): Promise<void> {
    if (this.#told !== null) await this.#waitForRounds(this.#told);
    await waitFor(() => this.queuedBytes === 0 && this.#readerWaits() && this.queuedBytes === 0, {
      what: "facron to come to rest",
      state: () => `${this.queuedBytes} bytes are queued\n${this.#syscalls().join("")}`,
    });
  }

  /** The end of a round sets the timer anew: then more is left of it than was. Some may be overlooked. */
  async #waitForRounds(told: () => number): Promise<void> {
    let rounds = 0;
    let since = 0;
    let left = this.#timeLeft();
    let bytes = told();
    const looks = () => {
      const now = this.#timeLeft();
      if (now > left) {
        rounds++;
        since = told() === bytes ? since + 1 : 0;
        bytes = told();
      }
      left = now;
      return rounds >= roundsAtLeast && since >= roundsWithoutWord;
    };
    await waitFor(looks, { what: "rounds of polling", state: () => `${rounds} rounds` });
  }

  /** Nanoseconds until the next round; 0 while there is one (timerfd_create(2), "fdinfo"). */
  #timeLeft(): number {
    const timer = this.#descriptors().find((number) => this.#kindOf(number).includes("timerfd"));
    const text = timer === undefined ? "" : this.#readInfo(timer);
    const [, seconds = 0, nanoseconds = 0] = /it_value: \((\d+), (\d+)\)/.exec(text) ?? [];
    return Number(seconds) * 1e9 + Number(nanoseconds);
  }

  #readInfo(number: string): string {
    try {
      return readFileSync(`/proc/${this.#pid}/fdinfo/${number}`, "utf8");
    } catch {
      return ""; // closed meanwhile
    }
  }

  /** SIGSTOP, and every thread has heard of it. */
  async pause(): Promise<void> {
    process.kill(this.#pid, "SIGSTOP");
    const state = (task: string) => /^State:\t(.)/m.exec(this.#read(`${task}/status`))?.[1] ?? "T";
    await waitFor(() => this.#tasks().every((task) => state(task) === "T"), { what: "SIGSTOP" });
  }

  resume(): void {
    process.kill(this.#pid, "SIGCONT");
  }

  [Symbol.dispose](): void {
    this.#pidfd.close();
    for (const queue of this.#queues.values()) queue.close();
  }

  #readerWaits(): boolean {
    return this.#syscalls().some((syscall) => waitsForLong.test(syscall));
  }

  #syscalls(): string[] {
    return this.#tasks().map((task) => this.#read(`${task}/syscall`));
  }

  #tasks(): string[] {
    return readdirSync(`/proc/${this.#pid}/task`);
  }

  #read(file: string): string {
    try {
      return readFileSync(`/proc/${this.#pid}/task/${file}`, "utf8");
    } catch {
      return ""; // a thread that has ended
    }
  }

  /** A reload may open one more; pidfd_getfd(2) gives us what facron has. */
  #findQueues(): void {
    for (const number of this.#descriptors()) {
      if (this.#queues.has(number) || !this.#isQueue(number)) continue;
      const fd = libc.syscall(
        SYS_pidfd_getfd,
        this.#pidfd.number,
        Number(number) as never,
        0,
        0,
        null,
      );
      this.#queues.set(number, new Fd(check(fd, "pidfd_getfd")));
    }
  }

  #descriptors(): string[] {
    try {
      return readdirSync(`/proc/${this.#pid}/fd`);
    } catch (error) {
      throw new Error(`facron has ended: ${String(error)}`);
    }
  }

  #isQueue(number: string): boolean {
    return /^anon_inode:\[?(inotify|fanotify)\]?$/.test(this.#kindOf(number));
  }

  #kindOf(number: string): string {
    try {
      return readlinkSync(`/proc/${this.#pid}/fd/${number}`);
    } catch {
      return ""; // closed meanwhile
    }
  }
}
