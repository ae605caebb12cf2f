/** The output thread's loop: waits for the pipes of all commands, reads them and hands lines over. */
import { clearEventfd } from "../../ffi/eventfd.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { Fd, readNow } from "../../ffi/fd.ts";
import { POLLIN, PollSet } from "../../ffi/poll.ts";
import { OutputStream, type Said } from "./output-stream.ts";

/** Pipes whose command has ended and which somebody that it left behind still holds open. */
const leftOpenMax = 64;

/** Read of one pipe before it is the turn of the next: all that a pipe holds, unless it was made larger. */
const readBytes = 64 * 1024;

/** Reads of a pipe that is not waited for: one that is written to all the time would have no end. */
const lastReadsMax = 16;

export interface ToOutput {
  readonly add?: { readonly fd: number; readonly source: string; readonly pid: number };
  /** A pid, whose command has ended: read what that has written. Answered. */
  readonly ended?: number;
  /** Read what is there now, of all. Answered. */
  readonly drain?: true;
}

export interface FromOutput {
  readonly said: readonly Said[];
  /** So many questions more have been done with, in their order. */
  readonly answers: number;
}

export interface OutputChannel {
  /** @returns null if there is nothing more */
  readonly receive: () => ToOutput | null;
  readonly send: (message: FromOutput) => void;
  /** Readable when there is something to receive. */
  readonly wakeFd: number;
}

interface Pipe {
  readonly fd: Fd;
  readonly pid: number;
  readonly stream: OutputStream;
  hasEnded: boolean;
}

export class OutputReader {
  readonly #channel: OutputChannel;
  readonly #buffer = new Uint8Array(readBytes);
  /** Oldest first. */
  #pipes: Pipe[] = [];
  #polled = new PollSet(16);
  #capacity = 16;
  #said: Said[] = [];
  #answers = 0;

  constructor(channel: OutputChannel) {
    this.#channel = channel;
  }

  run(): never {
    for (;;) this.turn();
  }

  /** Wait once, and do what there is to do. */
  turn(): void {
    this.#arm();
    this.#polled.wait(this.#timeoutMs());
    const ready = this.#pipes.filter((_, at) => this.#polled.happened(at + 1) !== 0);
    const isToldSomething = this.#polled.happened(0) !== 0;
    const now = performance.now();
    for (const pipe of ready) this.#read(pipe, now);
    for (const { stream } of this.#pipes) if (stream.dueAt <= now) stream.tick(now);
    if (isToldSomething) this.#obey();
    this.#closeTooMany();
    this.#handOver();
  }

  #arm(): void {
    if (this.#pipes.length >= this.#capacity) {
      this.#capacity = this.#pipes.length * 2;
      this.#polled = new PollSet(this.#capacity);
    }
    this.#polled.set(0, this.#channel.wakeFd, POLLIN);
    for (let at = 0; at < this.#capacity - 1; at++) {
      this.#polled.set(at + 1, this.#pipes[at]?.fd.number ?? -1, POLLIN);
    }
  }

  #timeoutMs(): number {
    const dueAt = this.#pipes.reduce(
      (least, { stream }) => Math.min(least, stream.dueAt),
      Infinity,
    );
    if (dueAt === Infinity) return -1;
    return Math.max(Math.ceil(dueAt - performance.now()), 0);
  }

  /** @returns whether there may be more at once */
  #read(pipe: Pipe, now: number): boolean {
    const length = this.#readSome(pipe.fd.number);
    if (length > 0) pipe.stream.take(this.#buffer.subarray(0, length), now);
    else if (length === 0) this.#close(pipe);
    return length > 0;
  }

  /** An error is as good as the end: there is nothing more to be had. */
  #readSome(fd: number): number {
    try {
      return readNow(fd, this.#buffer);
    } catch (error) {
      if (error instanceof SyscallError) return 0;
      throw error;
    }
  }

  #close(pipe: Pipe): void {
    pipe.stream.end();
    pipe.fd.close();
    this.#pipes = this.#pipes.filter((one) => one !== pipe);
  }

  #obey(): void {
    clearEventfd(this.#channel.wakeFd);
    for (let told = this.#channel.receive(); told !== null; told = this.#channel.receive()) {
      const { add, ended, drain } = told;
      if (add !== undefined) this.#add(add);
      if (ended !== undefined) this.#end(ended);
      if (drain === true) this.#drain();
    }
  }

  #add({ fd, source, pid }: NonNullable<ToOutput["add"]>): void {
    const stream = new OutputStream(source, (said) => this.#said.push(said));
    this.#pipes.push({ fd: new Fd(fd), pid, stream, hasEnded: false });
  }

  /** What it wrote comes before its end is told; what holds the pipe open is not waited for. */
  #end(pid: number): void {
    for (const pipe of this.#pipes.filter((one) => one.pid === pid)) {
      pipe.hasEnded = true;
      this.#readWhatIsThere(pipe);
    }
    this.#answers++;
  }

  #drain(): void {
    for (const pipe of this.#pipes) this.#readWhatIsThere(pipe);
    for (const { stream } of this.#pipes) stream.end();
    this.#answers++;
  }

  #readWhatIsThere(pipe: Pipe): void {
    const now = performance.now();
    for (let reads = 0; reads < lastReadsMax; reads++) if (!this.#read(pipe, now)) return;
  }

  /** A command that makes itself a daemon, and is run for each event, would take all descriptors. */
  #closeTooMany(): void {
    const left = this.#pipes.filter(({ hasEnded }) => hasEnded);
    for (const pipe of left.slice(0, Math.max(left.length - leftOpenMax, 0))) {
      this.#readWhatIsThere(pipe);
      if (!this.#pipes.includes(pipe)) continue; // that was its end
      pipe.stream.warn(
        `its output was closed: it has ended, a process that it left behind holds it open, and so do those of ${leftOpenMax} later commands; redirect the output of what goes on`,
      );
      this.#close(pipe);
    }
  }

  #handOver(): void {
    if (this.#said.length === 0 && this.#answers === 0) return;
    this.#channel.send({ said: this.#said, answers: this.#answers });
    this.#said = [];
    this.#answers = 0;
  }
}
