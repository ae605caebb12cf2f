/** The journal thread's main: a Worker of its own, and one more entry point of the compiled binary. */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { openLoop } from "./loop.ts";
import type { JournalThreadData, ToJournal } from "./messages.ts";

const { place, wakeFd, port } = workerData as JournalThreadData;

// An error that nobody catches ends the thread, and the main thread ends the program with exit code 1.
openLoop(
  { place, wakeFd },
  {
    receive: () => (receiveMessageOnPort(port)?.message as ToJournal | undefined) ?? null,
    send: (message, transfer = []) => parentPort!.postMessage(message, transfer),
  },
)?.run();
