/** The gate thread's main: a Worker of its own, and an entry point of the compiled binary. */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { setNice } from "../../ffi/surroundings.ts";
import { GateLoop } from "./loop.ts";
import type { FromReaderToGate, GateThreadData, ToGate } from "./messages.ts";

const { start, port, rootsPort } = workerData as GateThreadData;

/**
 * Whoever opens a gated file waits for this thread. Beside those that are not held yet, and keep the
 * processors busy, it got a third fewer of them on with the niceness of others (`bun run bench gate`).
 * Of this thread alone: commands are started by the main thread.
 */
const niceness = -14; // fapolicyd's

/** Roots first: a question about one may be waiting. */
const receive = (): ToGate | FromReaderToGate | null =>
  ((receiveMessageOnPort(rootsPort) ?? receiveMessageOnPort(port))?.message as ToGate) ?? null;

setNice(niceness); // without CAP_SYS_NICE it stays as it is

// An error that nobody catches ends the thread, and the main thread ends the program with exit code 1.
new GateLoop(start, {
  receive,
  send: (message, transfer = []) => parentPort!.postMessage(message, transfer),
}).run();
