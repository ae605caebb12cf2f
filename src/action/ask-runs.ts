/** What waits and runs of one gate: so many commands at once, the other questions in their order. */
import type { AskedQuestion } from "../gate/messages.ts";
import type { Log } from "../log.ts";
import { gateNamesOf } from "../rule/gate.ts";
import type { Filling } from "../rule/template.ts";
import type { AskReports } from "./ask-reports.ts";
import { AskStats, askStatus, type AskStatus } from "./ask-stats.ts";
import type { Answer, Asked, AskingGate, WhyGivenUp } from "./asked.ts";
import { logDryRun } from "./dry-run.ts";
import type { Ending } from "./ending.ts";
import type { CommandFamilies } from "./family-watch.ts";
import type { Launcher } from "./launcher.ts";
import type { Run, RunLimits } from "./run.ts";
import { gateTitle } from "./title.ts";

export interface AskRunsOptions {
  readonly log: Log;
  readonly launcher: Launcher;
  readonly families: CommandFamilies;
  readonly dryRun?: boolean;
  readonly reports: AskReports;
  readonly maxRunning: number;
  /** A command is over. */
  readonly onOver: () => void;
}

const SIGTERM = 15;

/** The deadline is the gate thread's, which gives up what takes too long. */
const limits: RunLimits = { timeoutMs: 0, stopSignal: SIGTERM, killAfterMs: 5_000 };

export class AskRuns {
  readonly #options: AskRunsOptions;
  readonly #stats = new AskStats();
  /** In the order in which they came, and since when: performance.now(). */
  readonly #waiting = new Map<Asked, number>();
  /** Until nothing is left of those that were told to end. */
  readonly #running = new Map<Asked, Run>();
  #maxRunning: number;

  constructor(options: AskRunsOptions) {
    this.#options = options;
    this.#maxRunning = options.maxRunning;
  }

  get running(): number {
    return this.#running.size;
  }

  get isIdle(): boolean {
    return this.#running.size === 0 && this.#waiting.size === 0;
  }

  /** From now on. */
  allow(maxRunning: number): void {
    this.#maxRunning = maxRunning;
    this.#startMore();
  }

  ask(asked: Asked): void {
    this.#waiting.set(asked, performance.now());
    this.#startMore();
  }

  giveUp(asked: Asked, why: WhyGivenUp): void {
    const { reports } = this.#options;
    const run = this.#running.get(asked);
    this.#stats.givenUp++;
    this.#waiting.delete(asked);
    if (why === "timeout" && run === undefined) reports.waitedTooLong(asked.gate);
    if (why === "timeout" && run !== undefined) reports.ranTooLong(asked.gate, run);
    run?.stop("given-up");
  }

  /** They will not be run. */
  dropWaiting(): void {
    const dropped = [...this.#waiting.keys()];
    this.#waiting.clear();
    for (const { answer } of dropped) answer("error");
  }

  signal(signal: number): void {
    for (const run of this.#running.values()) run.signal(signal);
  }

  status(): AskStatus {
    return askStatus(this.#stats, {
      running: this.#running.size,
      maxRunning: this.#maxRunning,
      waiting: this.#waiting.size,
    });
  }

  #startMore(): void {
    for (const [asked, since] of this.#waiting) {
      if (this.#running.size >= this.#maxRunning) return;
      this.#waiting.delete(asked);
      this.#stats.waited.add(performance.now() - since);
      if (this.#options.dryRun === true) this.#sayDryRun(asked);
      else this.#start(asked);
    }
  }

  #start(asked: Asked): void {
    const { launcher, families, reports } = this.#options;
    const { gate, answer } = asked;
    families.begin();
    const run = launcher.start({
      ...wordsOf(asked),
      title: gateTitle(gate),
      limits,
      runAs: gate.decision.runAs,
      surroundings: gate.decision.surroundings,
      stdin: null,
      onOver: (over, ending) => this.#over(asked, over, ending),
    });
    if (!(run instanceof Error)) {
      this.#stats.runs++;
      this.#running.set(asked, run);
      return;
    }
    families.end();
    this.#stats.failed++;
    reports.notStarted(gate, run);
    answer("error");
  }

  #over(asked: Asked, run: Run, ending: Ending): void {
    const { families, reports, onOver } = this.#options;
    this.#running.delete(asked);
    families.end();
    this.#stats.ran.add(performance.now() - run.startedAt);
    if (run.stopReason === null) this.#answer(asked, run, ending);
    else reports.hasEnded(asked.gate, run, ending);
    this.#startMore();
    onOver();
  }

  /** Somebody waits for it: it comes before the log. */
  #answer({ gate, answer }: Asked, run: Run, ending: Ending): void {
    const given = answerOf(ending);
    if (given === "error") this.#stats.failed++;
    answer(given);
    if (given === "error") this.#options.reports.failed(gate, run, ending);
  }

  #sayDryRun(asked: Asked): void {
    const { launcher, log } = this.#options;
    const { decision } = asked.gate;
    const argv = launcher.argvOf(wordsOf(asked));
    logDryRun(log, { title: gateTitle(asked.gate), user: decision.runAs?.user ?? null, argv });
    asked.answer("allow");
  }
}

function answerOf(ending: Ending): Answer {
  if (ending.kind !== "exited") return "error";
  return ending.code === 0 ? "allow" : "deny";
}

function wordsOf({ gate, question }: Asked) {
  return { name: gate.name, command: gate.decision.command, filling: fillingOf(gate, question) };
}

const nothing = new Uint8Array(0);

function fillingOf({ name }: AskingGate, question: AskedQuestion): Filling {
  const { path, isDirectory, pid, comm, exe, uid, events, range } = question;
  const actor = { comm, exe, uid };
  const asked = { gate: name, events: gateNamesOf(events), range };
  const nobody = { from: nothing, events: 0, seq: 0, isSelf: false };
  return { ...nobody, path, isDirectory, pid, actor, question: asked };
}
