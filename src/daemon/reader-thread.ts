/** The reader thread, seen from the main thread: started, told, woken, and never allowed to die alone. */
import { MessageChannel, type MessagePort, Worker, type WorkerOptions } from "node:worker_threads";
import { openEventfd, signalEventfd } from "../../ffi/eventfd.ts";
import { sayCommandsAct } from "../family/cells.ts";
import { Lookout, sharedBytes } from "../reader/lookout.ts";
import {
  type FromReader,
  type ReaderStart,
  type ReaderThreadData,
  sharedCounters,
  type ToReader,
} from "../reader/plan.ts";

/** JSON lines that may wait for a slow reader of stdout: some 400,000 events. */
const backlogBytesMax = 64 * 1024 * 1024;

/** Triggers that may wait for their command: with short paths some 80 MiB. */
const triggersWaitingMax = 1_000_000;

/** The reader is told of room when an eighth is free, so that it does not stop again at once. */
const resumeBelow = triggersWaitingMax - triggersWaitingMax / 8;

export interface ReaderThreadOptions {
  /** The worker's file: `main.ts` knows where it lies, compiled or not. */
  readonly url: URL;
  readonly onMessage: (message: FromReader) => void;
  /** The thread ended without having been asked to. */
  readonly onDeath: (reason: string) => void;
}

export class ReaderThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #wakeFd = openEventfd();
  readonly #counters = new Int32Array(new SharedArrayBuffer(sharedBytes));
  /** Which filesystem it asks. */
  readonly lookout = new Lookout(this.#counters.buffer as SharedArrayBuffer);
  #isOver = false;
  #isHeldBack = false;

  constructor({ url, onMessage, onDeath }: ReaderThreadOptions) {
    const channel = new MessageChannel();
    this.#port = channel.port1;
    const start: ReaderStart = {
      wakeFd: this.#wakeFd.number,
      shared: this.#counters.buffer as SharedArrayBuffer,
      backlogBytesMax,
      triggersWaitingMax,
    };
    const workerData: ReaderThreadData = { start, port: channel.port2 };
    // smol: the thread keeps almost nothing, and would otherwise let 32 MiB of garbage gather first.
    const options: WorkerOptions & { readonly smol: boolean } = {
      workerData,
      transferList: [channel.port2],
      smol: true,
    };
    this.#worker = new Worker(url, options);
    this.#worker.on("message", (message: FromReader) => {
      if (endings.has(message.kind)) this.#isOver = true;
      onMessage(message);
    });
    const died = (reason: string): void => {
      if (this.#isOver) return;
      this.#isOver = true;
      onDeath(reason);
    };
    this.#worker.on("error", (error: Error) => died(error.stack ?? error.message));
    this.#worker.on("exit", (code) => died(`it ended with code ${code}`));
  }

  /** @param transfer ports in it, which are the reader's from now on */
  send(message: ToReader, transfer: MessagePort[] = []): void {
    this.#port.postMessage(message, transfer);
    signalEventfd(this.#wakeFd.number);
  }

  /** Kernel marks and watches held, while a tree is walked. */
  get marks(): number {
    return Atomics.load(this.#counters, sharedCounters.marks);
  }

  /**
   * Commands may act from now on, or no longer.
   *
   * @param fd of the socket that tells of their processes; null: there is none
   */
  commandsAct(act: boolean, fd: number | null): void {
    sayCommandsAct(this.#counters, sharedCounters, { act, fd });
    if (act) signalEventfd(this.#wakeFd.number); // to wait no longer than the socket holds
  }

  /** The guard of the gates is no command; 0: there is none. */
  set guardPid(pid: number) {
    Atomics.store(this.#counters, sharedCounters.guardPid, pid);
  }

  /** Processes of commands that run, as of the last answer to "read-up". */
  get familyMembers(): number {
    return Atomics.load(this.#counters, sharedCounters.familyMembers);
  }

  /** Whether no more events are to be read for now, however few triggers wait. */
  holdBack(isWished: boolean): void {
    if (isWished === this.#isHeldBack) return;
    this.#isHeldBack = isWished;
    // As if all that may wait did.
    if (!isWished) return this.madeRoom(triggersWaitingMax);
    Atomics.add(this.#counters, sharedCounters.triggersWaiting, triggersWaitingMax);
  }

  /** So many triggers wait that it has not sent. */
  tookRoom(triggers: number): void {
    Atomics.add(this.#counters, sharedCounters.triggersWaiting, triggers);
  }

  /** So many triggers no longer wait. */
  madeRoom(triggers: number): void {
    const before = Atomics.sub(this.#counters, sharedCounters.triggersWaiting, triggers);
    if (before - triggers >= resumeBelow) return;
    const waits = Atomics.exchange(this.#counters, sharedCounters.readerWaits, 0);
    if (waits === 1) signalEventfd(this.#wakeFd.number);
  }
}

/** After these the reader's loop has ended as it should. */
const endings: ReadonlySet<FromReader["kind"]> = new Set([
  "cannot-watch",
  "stdout-gone",
  "drained",
]);
