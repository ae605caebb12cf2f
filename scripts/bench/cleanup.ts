/** What has to be undone however the run ends: at its end, after a failure, on Ctrl-C. */
import { tell } from "./tell.ts";

type Undo = () => void;

const undos: Undo[] = [];

/** Remember `undo`, synchronous; the last remembered is the first done. */
export function defer(undo: Undo): void {
  undos.push(undo);
}

/** Undo everything. One that fails is told and does not keep the others from being done. */
export function cleanUp(): void {
  for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
    try {
      undo();
    } catch (error) {
      tell(`cannot clean up: ${String(error)}`);
    }
  }
}

/** Clean up on the signals that end a program, then end by that signal. */
export function cleanUpOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      cleanUp();
      process.kill(process.pid, signal);
    });
  }
}
