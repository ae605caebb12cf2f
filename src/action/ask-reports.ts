/** What the log says of commands that decide: only what goes wrong, and not for each file anew. */
import type { Log } from "../log.ts";
import { durationText } from "../rule/duration.ts";
import type { AskingGate } from "./asked.ts";
import { type Ending, endingText } from "./ending.ts";
import type { Run } from "./run.ts";
import { Silences } from "./silences.ts";
import { gateTitle } from "./title.ts";

export class AskReports {
  readonly #log: Log;
  readonly #silences = new Silences();

  constructor(log: Log) {
    this.#log = log;
  }

  notStarted(gate: AskingGate, { message }: Error): void {
    this.#tell("error", gate, "not-started", `${message}; ${byOnError(gate)}`);
  }

  /** It gave no answer. */
  failed(gate: AskingGate, run: Run, ending: Ending): void {
    if (ending.kind === "not-started") return this.notStarted(gate, ending.error);
    this.#tell("warn", gate, "failed", `${endOf(run, ending)}; ${byOnError(gate)}`);
  }

  ranTooLong(gate: AskingGate, run: Run): void {
    const timeout = durationText(gate.decision.timeoutMs);
    const what = `${run.program} runs longer than the gate's timeout of ${timeout}: told to end (pid ${run.pid})`;
    this.#tell("warn", gate, "ran", `${what}; ${byOnTimeout(gate)}`);
  }

  waitedTooLong(gate: AskingGate): void {
    const { timeoutMs, maxRunning } = gate.decision;
    const what = `A question waited for one of ${maxRunning} places until the gate's timeout of ${durationText(timeoutMs)}: raise max_running`;
    this.#tell("warn", gate, "waited", `${what}; ${byOnTimeout(gate)}`);
  }

  /** It was told to: only what did not is worth a word. */
  hasEnded(gate: AskingGate, run: Run, ending: Ending): void {
    const isKilled = ending.kind === "killed" && ending.signal === "SIGKILL";
    if (isKilled)
      this.#tell("warn", gate, "killed", `${endOf(run, ending)}, as SIGTERM did not end it`);
  }

  #tell(level: "warn" | "error", gate: AskingGate, kind: string, text: string): void {
    this.#silences.tell(`${kind} ${gate.name}`, (untold) => {
      const more = untold === 0 ? "" : ` (and ${untold} times more since the last such line)`;
      this.#log[level](`${gateTitle(gate)}: ${text}${more}`);
    });
  }
}

function endOf(run: Run, ending: Ending): string {
  const afterMs = Math.round(performance.now() - run.startedAt);
  return `${run.program} ${endingText(ending)} after ${afterMs} ms (pid ${run.pid})`;
}

function byOnError({ decision }: AskingGate): string {
  return `on_error decides: ${decision.onError}`;
}

function byOnTimeout({ decision }: AskingGate): string {
  return `on_timeout decides: ${decision.onTimeout}`;
}
