/** `output = "log"`: pipes from commands to the log, read by a thread of its own. */
import { MessageChannel, type MessagePort, Worker, type WorkerOptions } from "node:worker_threads";
import { openEventfd, signalEventfd } from "../../ffi/eventfd.ts";
import { type Fd, openPipe, setBlocking } from "../../ffi/fd.ts";
import type { Log } from "../log.ts";
import type { FromOutput, ToOutput } from "./output-reader.ts";

/** What the thread is given. */
export interface OutputThreadData {
  readonly wakeFd: number;
  readonly port: MessagePort;
}

export interface OutputLogOptions {
  /** The worker's file: `main.ts` knows where it lies, compiled or not. */
  readonly url: URL;
  readonly log: Log;
  /** The thread has ended; commands would wait for a reader for ever. */
  readonly onDeath: (reason: string) => void;
}

/** The thread needs a tenth of a millisecond, and may be behind. */
const endMs = 250;

/** At the end of facron. */
const drainMs = 1_000;

/** The thread is started for the first command that needs it. */
export class OutputLog {
  readonly #options: OutputLogOptions;
  #thread: Thread | null = null;
  /** Started and not ended. */
  #commands = 0;
  /** Of the thread: it answers in the order of the questions. */
  readonly #answers: (() => void)[] = [];

  constructor(options: OutputLogOptions) {
    this.#options = options;
  }

  /**
   * A pipe for one command.
   *
   * @param title `rule "import"`: its lines begin with it
   * @throws {SyscallError} EMFILE, ENFILE
   */
  open(title: string): OutputPipe {
    this.#thread ??= this.#startThread();
    return new OutputPipe(title, this);
  }

  /** The thread reads it from now on. */
  add(fd: number, source: string, pid: number): void {
    this.#commands++;
    this.#thread!.send({ add: { fd, source, pid } });
  }

  /** @param then called when all that the command has written is in the log, or if that can't be had soon */
  end(pid: number, then: () => void): void {
    this.#commands--;
    this.#ask({ ended: pid }, endMs, then);
  }

  /** Commands that it reads from; null: none has needed it. */
  get commands(): number | null {
    return this.#thread === null ? null : this.#commands;
  }

  /** When all that commands have written until now is in the log, or if that can't be had soon. */
  drain(): Promise<void> {
    if (this.#thread === null) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ask({ drain: true }, drainMs, resolve);
    return promise;
  }

  #ask(question: ToOutput, withinMs: number, then: () => void): void {
    let isOver = false;
    const once = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      then();
    };
    const timer = setTimeout(once, withinMs);
    this.#answers.push(once);
    this.#thread!.send(question);
  }

  #startThread(): Thread {
    const { url, onDeath } = this.#options;
    return new Thread(url, (message) => this.#take(message), onDeath);
  }

  #take({ said, answers }: FromOutput): void {
    for (const { level, text } of said) this.#options.log[level](text);
    for (const answer of this.#answers.splice(0, answers)) answer();
  }
}

class Thread {
  readonly #port: MessagePort;
  readonly #wakeFd = openEventfd();

  constructor(
    url: URL,
    onMessage: (message: FromOutput) => void,
    onDeath: (reason: string) => void,
  ) {
    const channel = new MessageChannel();
    this.#port = channel.port1;
    const data: OutputThreadData = { wakeFd: this.#wakeFd.number, port: channel.port2 };
    const options: WorkerOptions & { readonly smol: boolean } = {
      workerData: data,
      transferList: [channel.port2],
      smol: true, // it keeps almost nothing
    };
    const worker = new Worker(url, options);
    worker.unref();
    let isOver = false;
    const died = (reason: string): void => {
      if (!isOver) onDeath(reason);
      isOver = true;
    };
    worker.on("message", onMessage);
    worker.on("error", (error: Error) => died(error.stack ?? error.message));
    worker.on("exit", (code) => died(`it ended with code ${code}`));
  }

  send(message: ToOutput): void {
    this.#port.postMessage(message);
    signalEventfd(this.#wakeFd.number);
  }
}

/** Close it when the command has its copy, or can't be started. */
export class OutputPipe implements Disposable {
  readonly #title: string;
  readonly #log: OutputLog;
  readonly #read: Fd;
  readonly #write: Fd;
  #pid = 0;

  constructor(title: string, log: OutputLog) {
    this.#title = title;
    this.#log = log;
    const { read, write } = openPipe();
    setBlocking(write.number, true); // few programs expect anything else of their stdout
    this.#read = read;
    this.#write = write;
  }

  get fd(): number {
    return this.#write.number;
  }

  started(pid: number): void {
    this.#pid = pid;
    this.#log.add(this.#read.release(), `${this.#title} [pid ${pid}]`, pid);
  }

  ended(then: () => void): void {
    this.#log.end(this.#pid, then);
  }

  [Symbol.dispose](): void {
    this.#write.close();
    this.#read.close();
  }
}
