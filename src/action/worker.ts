/** The output thread's main: a Worker of its own, and an entry point of the compiled binary. */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { OutputThreadData } from "./output-log.ts";
import { OutputReader, type ToOutput } from "./output-reader.ts";

const { wakeFd, port } = workerData as OutputThreadData;

// An error that nobody catches ends the thread, and the main thread hears of it.
new OutputReader({
  wakeFd,
  receive: () => (receiveMessageOnPort(port)?.message as ToOutput | undefined) ?? null,
  send: (message) => parentPort!.postMessage(message),
}).run();
