/** The gate thread, seen from the main thread: started with its group, told, woken, and never allowed to die alone. */
import { MessageChannel, type MessagePort, Worker, type WorkerOptions } from "node:worker_threads";
import { openEventfd, signalEventfd } from "../../ffi/eventfd.ts";
import { type PermissionGroupOptions, permissionGroup } from "../../ffi/fanotify/permission.ts";
import { closeInChildren, leaveToChildren } from "../../ffi/process.ts";
import { sayCommandsAct } from "../family/cells.ts";
import {
  type FromGate,
  gateCells,
  type GatePlan,
  gateSharedBytes,
  type GateThreadData,
  type ToGate,
} from "../gate/messages.ts";

export interface GateThreadOptions {
  /** The worker's file. */
  readonly url: URL;
  readonly group: PermissionGroupOptions;
  /** Of `openPulseMemory`. */
  readonly pulseFd: number;
  readonly plan: GatePlan;
  readonly onMessage: (message: FromGate) => void;
  /** The thread ended without having been asked to. */
  readonly onDeath: (reason: string) => void;
}

export interface ReaderEnd {
  readonly groupFd: number;
  readonly wakeFd: number;
  readonly shared: SharedArrayBuffer;
  readonly rootsPort?: MessagePort;
}

export class GateThread {
  /** What its group can do. */
  readonly group: PermissionGroupOptions;
  readonly cells = new Int32Array(new SharedArrayBuffer(gateSharedBytes));
  readonly #groupFd;
  readonly #wakeFd = openEventfd();
  readonly #port: MessagePort;
  readonly #worker: Worker;
  readonly #ready = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  #rootsPort: MessagePort | null;
  #isOver = false;
  #isClosing = false;

  /** @throws {SyscallError} as `permissionGroup` */
  constructor({ url, group, pulseFd, plan, onMessage, onDeath }: GateThreadOptions) {
    this.group = group;
    this.#groupFd = permissionGroup(group);
    closeInChildren(this.groupFd);
    const toThread = new MessageChannel();
    const roots = new MessageChannel();
    this.#port = toThread.port1;
    this.#rootsPort = roots.port1;
    const shared = this.cells.buffer as SharedArrayBuffer;
    const start = { groupFd: this.groupFd, wakeFd: this.wakeFd, pulseFd, shared, plan };
    const workerData: GateThreadData = { start, port: toThread.port2, rootsPort: roots.port2 };
    // smol: it keeps almost nothing, and its collections have to be short.
    const options: WorkerOptions & { readonly smol: boolean } = {
      workerData,
      transferList: [toThread.port2, roots.port2],
      smol: true,
    };
    this.#worker = new Worker(url, options);
    this.#worker.on("message", (message: FromGate) => {
      if (message.kind === "ready") return this.#ready.resolve();
      if (message.kind === "closed") return this.#end();
      onMessage(message);
    });
    const died = (reason: string): void => {
      if (this.#isOver) return;
      if (this.#isClosing) return this.#end(); // before its last word is heard
      this.#isOver = true;
      onDeath(reason);
    };
    this.#worker.on("error", (error: Error) => died(error.stack ?? error.message));
    this.#worker.on("exit", (code) => died(`it ended with code ${code}`));
  }

  get groupFd(): number {
    return this.#groupFd.number;
  }

  get wakeFd(): number {
    return this.#wakeFd.number;
  }

  /** It answers: the kernel may hold processes from now on. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** What the reader needs to mark for it, and to tell it where that is: the port goes with the first plan. */
  forReader(): ReaderEnd {
    const { groupFd, wakeFd } = this;
    const rootsPort = this.#rootsPort;
    this.#rootsPort = null;
    const shared = this.cells.buffer as SharedArrayBuffer;
    return { groupFd, wakeFd, shared, ...(rootsPort && { rootsPort }) };
  }

  send(message: ToGate): void {
    this.#port.postMessage(message);
    Atomics.add(this.cells, gateCells.messages, 1);
    signalEventfd(this.wakeFd);
  }

  /** As `ProcessListener`. */
  commandsAct(act: boolean, fd: number | null): void {
    sayCommandsAct(this.cells, gateCells, { act, fd });
    if (act) signalEventfd(this.wakeFd); // to wait no longer than the socket holds
  }

  /** So many bytes of lines are not on their way any more. */
  tookLines(bytes: number): void {
    Atomics.sub(this.cells, gateCells.lineBytes, bytes);
  }

  /** Nothing is held any more when this is done: the kernel lets through what waits. */
  close(): Promise<void> {
    this.#isClosing = true;
    this.send({ kind: "close" });
    return this.#closed.promise;
  }

  #end(): void {
    this.#isOver = true;
    leaveToChildren(this.groupFd);
    this.#groupFd.close();
    this.#closed.resolve();
  }
}
