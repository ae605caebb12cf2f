/** How the guard waits, how it sees that facron does not answer, and how it answers then. */
import { Errno } from "../../ffi/errno.ts";
import { bytesReadable, closeDescriptor, readOrErrno } from "../../ffi/fd.ts";
import { FAN_ALLOW, metadataLayout } from "../../ffi/fanotify/abi.ts";
import { answerPermission } from "../../ffi/fanotify/permission.ts";
import { POLLIN, PollSet } from "../../ffi/poll.ts";
import type { Pulse } from "./pulse.ts";
import type { StopWatch } from "./stop-watch.ts";

/**
 * From one look to the next. Not by poll(2) of the group, which would wake the guard for each question of
 * a facron that is well.
 */
const tickMs = 450;

/**
 * So many looks at a gate thread that owes an answer and does not move: after 0.9 to 1.8 s, as the question
 * may have come right before the first look, or the thread have moved right after the one before. With
 * questions that it holds it moves once a second, and is seen to within three looks.
 */
const silentLooks = 3;

export interface Charge {
  /** The permission group, nonblocking. */
  readonly group: number;
  /** A pidfd of facron. */
  readonly facron: number;
  /** Closed by facron when no guard is needed any more. */
  readonly socket: number;
  /** facron's questions have lower numbers, the guard's have not. */
  readonly below: number;
  readonly pulse: Pulse;
  readonly stopWatch: StopWatch;
}

const slots = { facron: 0, socket: 1, group: 2 } as const;

export class Standby {
  readonly #group: number;
  readonly #below: number;
  readonly #pulse: Pulse;
  readonly #stopWatch: StopWatch;
  readonly #waiting = new PollSet(2);
  readonly #answering = new PollSet(3);
  readonly #one = new Questions(metadataLayout.size);
  /** For what does not fit: a question with a range (FAN_PRE_ACCESS). */
  readonly #some = new Questions(4096);

  constructor({ group, facron, socket, below, pulse, stopWatch }: Charge) {
    this.#group = group;
    this.#below = below;
    this.#pulse = pulse;
    this.#stopWatch = stopWatch;
    for (const set of [this.#waiting, this.#answering]) {
      set.set(slots.facron, facron, POLLIN);
      set.set(slots.socket, socket, POLLIN);
    }
    this.#answering.set(slots.group, group, POLLIN);
  }

  /** Go once through what a takeover does, so that it is in memory; under numbers that nobody has. */
  rehearse(): void {
    for (let fd = this.#below + 1_000; fd > this.#below; fd--) this.#allow(fd);
    this.#answering.wait(0);
    bytesReadable(this.#group);
    this.#stopWatch.isStopped();
  }

  /** Or until facron wants no guard any more. */
  untilFacronIsGone(): void {
    const { progress } = this.#pulse;
    for (let seen = progress, silent = 0; this.#waiting.wait(tickMs) === 0;) {
      this.#pulse.goRound();
      const moved = this.#pulse.progress !== seen;
      seen = this.#pulse.progress;
      if (moved || !this.#somebodyWaits()) silent = 0;
      else if (++silent >= silentLooks) {
        if (this.#takeOver(seen) === "facron is gone") return;
        silent = 0;
      }
    }
  }

  #somebodyWaits(): boolean {
    return this.#pulse.owes || bytesReadable(this.#group) > 0;
  }

  /** Answer everybody until the gate thread moves. */
  #takeOver(progress: number): "facron is gone" | "facron is back" {
    let wasStopped = false;
    for (let sweepAt = 0; this.#pulse.progress === progress;) {
      this.#pulse.goRound();
      // Again and again: a thread that hangs in read(2) may get on, and have more questions.
      if (performance.now() >= sweepAt) {
        this.#answerHeld(progress);
        sweepAt = performance.now() + tickMs;
      }
      const happened = this.#answering.wait(tickMs);
      const isAsked = this.#answering.happened(slots.group) !== 0;
      if (happened > (isAsked ? 1 : 0)) return "facron is gone";
      const isStopped = this.#stopWatch.isStopped();
      if (wasStopped && !isStopped) this.#letItMove(progress);
      else if (isAsked) this.#answerNext();
      wasStopped = isStopped;
    }
    return "facron is back";
  }

  /**
   * facron goes on again, and the same question wakes its gate thread and us: it is for the one who can
   * decide, who may take a moment on a busy machine.
   */
  #letItMove(progress: number): void {
    const end = performance.now() + tickMs;
    while (this.#pulse.progress === progress && performance.now() < end)
      if (this.#waiting.wait(1) > 0) return;
  }

  /**
   * Those that facron has read: its descriptors are among these numbers, whichever they are, and a group goes
   * by the number alone, whoever answers (process_access_response in the kernel). None can be wrong: a number
   * without a question is refused (ENOENT).
   */
  #answerHeld(progress: number): void {
    for (let fd = 0; fd < this.#below && this.#pulse.progress === progress; fd++) this.#allow(fd);
  }

  #allow(fd: number): void {
    if (answerPermission(this.#group, fd, FAN_ALLOW)) this.#pulse.passOver();
  }

  /**
   * Read and answer one question. Just one, as read(2) opens the file, and may wait for its filesystem with
   * others in hand.
   */
  #answerNext(): void {
    let questions = this.#one;
    let length = readOrErrno(this.#group, questions.bytes);
    if (length === -Errno.EINVAL) {
      questions = this.#some;
      length = readOrErrno(this.#group, questions.bytes);
    }
    // Any other error is about the file, which could not be opened: the kernel has answered.
    const { words } = questions;
    for (let at = 0; at < length; at += words.getUint32(at + metadataLayout.event_len, true)) {
      const fd = words.getInt32(at + metadataLayout.fd, true);
      if (fd < 0) continue; // no question
      this.#allow(fd);
      closeDescriptor(fd);
    }
  }
}

/** Made once: a guard that lets no garbage gather has none to collect, for which the runtime opens files in /proc. */
class Questions {
  readonly bytes: Uint8Array;
  readonly words: DataView;

  constructor(size: number) {
    this.bytes = new Uint8Array(new ArrayBuffer(size));
    this.words = new DataView(this.bytes.buffer);
  }
}
