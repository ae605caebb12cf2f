/** The sockets that tell of processes, one for each thread that asks, opened when the first command starts. */
import { Errno, SyscallError } from "../../ffi/errno.ts";
import {
  openProcConnector,
  type ProcConnector,
  unansweredCall,
} from "../../ffi/proc-connector/calls.ts";
import type { ProcessEvents } from "../action/family-watch.ts";
import type { Log } from "../log.ts";

/** A thread that asks whose descendant a process is. */
export interface ProcessListener {
  /**
   * Commands may act from now on, or no longer.
   *
   * @param fd of a socket of its own that tells of their processes; null: there is none
   */
  commandsAct(act: boolean, fd: number | null): void;
}

export interface ConnectorOptions {
  readonly log: Pick<Log, "info" | "warn">;
  readonly open?: typeof openProcConnector;
}

export class ConnectorEvents implements ProcessEvents {
  readonly #options: ConnectorOptions;
  /** Null: there is none to be had; undefined: nobody has asked. */
  readonly #connectors = new Map<ProcessListener, ProcConnector | null | undefined>();
  #listens = false;
  #hasSaidWhyNot = false;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  /** It is told from now on; at once if commands act already: what runs then it has to look up. */
  add(listener: ProcessListener): void {
    this.#connectors.set(listener, undefined);
    if (this.#listens) this.#listenFor(listener);
  }

  /** It has ended: nobody reads its socket any more. */
  remove(listener: ProcessListener): void {
    // Before Linux 6.6 a socket that is closed counts on, and the kernel goes on telling nobody.
    if (this.#listens) this.#try(listener, (connector) => connector.rest());
    this.#connectors.get(listener)?.close();
    this.#connectors.delete(listener);
  }

  listen(): void {
    this.#listens = true;
    for (const listener of this.#connectors.keys()) this.#listenFor(listener);
  }

  rest(): void {
    this.#listens = false;
    for (const listener of this.#connectors.keys()) {
      this.#try(listener, (connector) => connector.rest());
      this.#tell(listener, false);
    }
  }

  #listenFor(listener: ProcessListener): void {
    if (this.#connectors.get(listener) === undefined) this.#connectors.set(listener, this.#open());
    this.#try(listener, (connector) => connector.listen());
    this.#tell(listener, true);
  }

  #tell(listener: ProcessListener, act: boolean): void {
    listener.commandsAct(act, this.#connectors.get(listener)?.fd ?? null);
  }

  #open(): ProcConnector | null {
    const opened = (this.#options.open ?? openProcConnector)();
    if (!(opened instanceof SyscallError)) return opened;
    if (!this.#hasSaidWhyNot)
      this.#options.log.info(
        `Looking up in /proc whether a command of facron's own did something: ${whyNot(opened)}`,
      );
    this.#hasSaidWhyNot = true;
    return null;
  }

  /** The listener has the descriptor until it is told of none: it stays open. */
  #try(listener: ProcessListener, call: (connector: ProcConnector) => void): void {
    const connector = this.#connectors.get(listener);
    if (!connector) return;
    try {
      call(connector);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#connectors.set(listener, null);
      this.#options.log.warn(`Cannot follow processes any more: ${error.message}`);
    }
  }
}

/** One clause. */
function whyNot(error: SyscallError): string {
  switch (error.errno) {
    case Errno.EPERM:
      return "the kernel tells of processes only with CAP_NET_ADMIN";
    case Errno.EPROTONOSUPPORT:
      return "this kernel tells of no processes (CONFIG_PROC_EVENTS)";
    case Errno.ECONNREFUSED:
      return "the kernel tells of processes only outside of containers (network namespaces)";
    case Errno.EOPNOTSUPP:
      if (error.syscall === unansweredCall)
        return "the kernel tells of processes only outside of containers (pid and user namespaces)";
      return error.message;
    default:
      return error.message;
  }
}
