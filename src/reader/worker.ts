/** The reader thread's main: a Worker of its own, and a second entry point of the compiled binary. */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { ReaderLoop } from "./loop.ts";
import type { ReaderThreadData, ToReader } from "./plan.ts";

const { start, port } = workerData as ReaderThreadData;

// An error that nobody catches ends the thread, and the main thread ends the program with exit code 1.
new ReaderLoop(start, {
  receive: () => (receiveMessageOnPort(port)?.message as ToReader | undefined) ?? null,
  send: (message, transfer = []) => parentPort!.postMessage(message, transfer),
}).run();
