/**
 * What the gate thread shows of itself, in memory that the guard looks at; and what the guard shows.
 *
 * The contract of the gate thread, without which the guard answers in its place though it is well:
 *
 * - `beforeWait` before each poll(2), and at least once a second for as long as it has questions that
 *   it has not answered (those for which a command runs);
 * - `beforeRead` before each read(2) of the group, and not after it: a thread that is stopped in
 *   between would have questions of which nobody knows;
 * - a question is answered first and its descriptor closed then, so that no two have one number;
 * - an answer for which write(2) says ENOENT was given by the guard, and nothing is wrong with that.
 */
import type { Fd } from "../../ffi/fd.ts";
import { sharedMemoryFile } from "../../ffi/memfd.ts";
import { mapInts } from "../../ffi/shared-memory.ts";

/** Nobody waits longer for an answer while facron is stopped, hangs or dies: the bound that users are told. */
export const waitBoundMs = 2_000;

const cells = {
  /** Rises with each round of the gate thread. */
  progress: 0,
  /** Not 0 while the gate thread has questions, or may be about to have them. */
  owed: 1,
  /** Questions that the guard has answered. */
  passedOver: 2,
  /** Rises with each round of the guard. */
  beat: 3,
  /** 0: there is no guard. */
  guardPid: 4,
} as const;

const count = Object.keys(cells).length;

/** Memory for one `Pulse` in each thread and process. @throws {SyscallError} EMFILE, ENOMEM */
export function openPulseMemory(): Fd {
  return sharedMemoryFile(count * Int32Array.BYTES_PER_ELEMENT);
}

export class Pulse {
  readonly #cells: Int32Array;

  /** @param fd of `openPulseMemory`. @throws {SyscallError} ENOMEM */
  constructor(fd: number) {
    this.#cells = mapInts(fd, count);
  }

  /** Of the gate thread. @param held questions that it has and will answer later */
  beforeWait(held: number): void {
    Atomics.store(this.#cells, cells.owed, held);
    Atomics.add(this.#cells, cells.progress, 1);
  }

  /** Of the gate thread. */
  beforeRead(): void {
    Atomics.store(this.#cells, cells.owed, 1);
    Atomics.add(this.#cells, cells.progress, 1);
  }

  get progress(): number {
    return Atomics.load(this.#cells, cells.progress);
  }

  get owes(): boolean {
    return Atomics.load(this.#cells, cells.owed) !== 0;
  }

  /** Since the memory is there. */
  get passedOver(): number {
    return Atomics.load(this.#cells, cells.passedOver);
  }

  /** Of the guard. */
  passOver(): void {
    Atomics.add(this.#cells, cells.passedOver, 1);
  }

  get beat(): number {
    return Atomics.load(this.#cells, cells.beat);
  }

  /** Of the guard. */
  goRound(): void {
    Atomics.add(this.#cells, cells.beat, 1);
  }

  /** Always let through, as it is what lets others through. 0: there is none. */
  get guardPid(): number {
    return Atomics.load(this.#cells, cells.guardPid);
  }

  /** Of the main thread. */
  set guardPid(pid: number) {
    Atomics.store(this.#cells, cells.guardPid, pid);
  }
}
