/** The socket that tells of processes, opened when the first command starts. */
import { Errno, SyscallError } from "../../ffi/errno.ts";
import {
  openProcConnector,
  type ProcConnector,
  unansweredCall,
} from "../../ffi/proc-connector/calls.ts";
import type { ProcessEvents } from "../action/family-watch.ts";
import type { Log } from "../log.ts";
import type { ReaderThread } from "./reader-thread.ts";

export interface ConnectorOptions {
  readonly reader: Pick<ReaderThread, "commandsAct">;
  readonly log: Pick<Log, "info" | "warn">;
  readonly open?: typeof openProcConnector;
}

export class ConnectorEvents implements ProcessEvents {
  readonly #options: ConnectorOptions;
  /** Null: there is none to be had; undefined: nobody has asked. */
  #connector: ProcConnector | null | undefined;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  listen(): void {
    if (this.#connector === undefined) this.#connector = this.#open();
    this.#try((connector) => connector.listen());
    this.#options.reader.commandsAct(true, this.#connector?.fd ?? null);
  }

  rest(): void {
    this.#try((connector) => connector.rest());
    this.#options.reader.commandsAct(false, this.#connector?.fd ?? null);
  }

  #open(): ProcConnector | null {
    const opened = (this.#options.open ?? openProcConnector)();
    if (!(opened instanceof SyscallError)) return opened;
    this.#options.log.info(
      `Looking up in /proc whether a command of facron's own did something: ${whyNot(opened)}`,
    );
    return null;
  }

  /** The reader has the descriptor until it is told of none: it stays open. */
  #try(call: (connector: ProcConnector) => void): void {
    if (!this.#connector) return;
    try {
      call(this.#connector);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#connector = null;
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
