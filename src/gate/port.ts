/** The gate thread's end of what it hears and says. It writes nothing itself: a log may wait for a gate. */
import type { Log } from "../log.ts";
import type { FromGate, FromReaderToGate, ToGate } from "./messages.ts";

export interface GatePort {
  /** The next message, or null. What the reader says about roots comes first. */
  receive(): ToGate | FromReaderToGate | null;
  send(message: FromGate, transfer?: ArrayBuffer[]): void;
}

export function logOver(port: GatePort): Log {
  return {
    info: (text) => port.send({ kind: "log", level: "info", text }),
    warn: (text) => port.send({ kind: "log", level: "warn", text }),
    error: (text) => port.send({ kind: "log", level: "error", text }),
  };
}
