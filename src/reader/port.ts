/** The reader's end of what the two threads say to each other; the log is said by the main thread. */
import type { Log } from "../log.ts";
import type { FromReader, ToReader } from "./plan.ts";

export interface ReaderPort {
  /** The next message from the main thread, or null. */
  receive(): ToReader | null;
  send(message: FromReader, transfer?: ArrayBuffer[]): void;
}

export function logOver(port: ReaderPort): Log {
  return {
    info: (text) => port.send({ kind: "log", level: "info", text }),
    warn: (text) => port.send({ kind: "log", level: "warn", text }),
    error: (text) => port.send({ kind: "log", level: "error", text }),
  };
}
