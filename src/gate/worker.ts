/** The gate thread's main: a Worker of its own, and an entry point of the compiled binary. */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { GateLoop } from "./loop.ts";
import type { FromReaderToGate, GateThreadData, ToGate } from "./messages.ts";

const { start, port, rootsPort } = workerData as GateThreadData;

/** Roots first: a question about one may be waiting. */
const receive = (): ToGate | FromReaderToGate | null =>
  ((receiveMessageOnPort(rootsPort) ?? receiveMessageOnPort(port))?.message as ToGate) ?? null;

// An error that nobody catches ends the thread, and the main thread ends the program with exit code 1.
new GateLoop(start, {
  receive,
  send: (message, transfer = []) => parentPort!.postMessage(message, transfer),
}).run();
