/** Runs the commands of gates: each question is one run, and its exit status is the answer. */
import type { AskedQuestion } from "../gate/messages.ts";
import type { Log } from "../log.ts";
import type { Gate } from "../rule/gate.ts";
import { AskReports } from "./ask-reports.ts";
import { AskRuns } from "./ask-runs.ts";
import type { AskStatus } from "./ask-stats.ts";
import { type Answer, type Asked, type AskingGate, asks, type WhyGivenUp } from "./asked.ts";
import type { CommandFamilies } from "./family-watch.ts";
import type { Launcher } from "./launcher.ts";
import { Stop, type StopOptions, type StopReport } from "./stop.ts";
import { LetGo } from "./tickets.ts";

export interface AskerOptions {
  readonly log: Log;
  readonly launcher: Launcher;
  /** Told of each command before it can open anything: it must not be asked about itself. */
  readonly families: CommandFamilies;
  /** Commands are only logged, and the answer is "allow". */
  readonly dryRun?: boolean;
}

interface Open {
  readonly runs: AskRuns;
  readonly asked: Asked;
}

export class Asker {
  readonly #options: AskerOptions;
  readonly #reports: AskReports;
  /** By generation: questions of the plan before the last one may be on their way. */
  readonly #gates = new Map<number, readonly Gate[]>();
  /** By the names of gates. */
  readonly #runs = new Map<string, AskRuns>();
  /** By their ids: questions that have not been answered. */
  readonly #open = new Map<number, Open>();
  #stop: Stop | null = null;

  constructor(options: AskerOptions) {
    this.#options = options;
    this.#reports = new AskReports(options.log);
  }

  /** What the indices in questions of this generation mean; what runs already runs on. */
  follow(gates: readonly Gate[], generation: number): void {
    this.#gates.set(generation, gates);
    for (const gate of gates) {
      if (!asks(gate)) continue;
      const runs = this.#runs.get(gate.name);
      if (runs !== undefined) runs.allow(gate.decision.maxRunning);
    }
    const names = new Set(gates.map(({ name }) => name));
    for (const [name, runs] of this.#runs)
      if (!names.has(name) && runs.isIdle) this.#runs.delete(name);
  }

  /**
   * Have the gate's command decide.
   *
   * @param answer called once, perhaps before this returns; never after `giveUp`
   */
  ask(question: AskedQuestion, answer: (answer: Answer) => void): void {
    const gate = this.#gateOf(question);
    if (gate === null || this.#stop !== null) return answer("error");
    const runs = this.#runsOf(gate);
    const answered = (given: Answer): void => {
      this.#open.delete(question.id);
      answer(given);
    };
    const asked = { gate, question, answer: answered };
    this.#open.set(question.id, { runs, asked });
    runs.ask(asked);
  }

  /** Nobody waits for the answer: what waits for a place is dropped, what runs is told to end. */
  giveUp(id: number, why: WhyGivenUp): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    open?.runs.giveUp(open.asked, why);
  }

  /** The thread that asked is gone: another one may count its questions from the start again. */
  giveUpAll(): void {
    for (const id of [...this.#open.keys()]) this.giveUp(id, "closed");
  }

  /**
   * Come to an end: what waits is answered "error", and what runs may end by itself until `graceMs` is
   * over; then it is terminated.
   *
   * @returns when every command has ended (its grandchildren are not waited for)
   */
  stop(options: StopOptions): Promise<StopReport> {
    if (this.#stop !== null) return this.#stop.report;
    this.#stop = new Stop(
      {
        running: () => this.#running,
        abandon: () => new LetGo(), // nothing waits
        signal: (signal) => this.#signal(signal),
      },
      options,
      this.#options.log,
    );
    for (const runs of this.#runs.values()) runs.dropWaiting();
    this.#finishIfOver();
    return this.#stop.report;
  }

  /** The next step of a stop that is under way comes now. */
  hurry(): void {
    this.#stop?.hurry();
  }

  /** By the names of gates: of each that has asked, also of one that is gone and still runs. */
  status(): ReadonlyMap<string, AskStatus> {
    return new Map([...this.#runs].map(([name, runs]) => [name, runs.status()]));
  }

  /** Questions come in the order of the plans: with the first of a new one, those before it are over. */
  #gateOf({ generation, gate: index }: AskedQuestion): AskingGate | null {
    const gate = this.#gates.get(generation)?.[index];
    if (gate === undefined || !asks(gate)) return null;
    for (const older of this.#gates.keys()) if (older < generation) this.#gates.delete(older);
    return gate;
  }

  #runsOf(gate: AskingGate): AskRuns {
    const known = this.#runs.get(gate.name);
    if (known !== undefined) return known;
    const runs = new AskRuns({
      ...this.#options,
      reports: this.#reports,
      maxRunning: gate.decision.maxRunning,
      onOver: () => this.#finishIfOver(),
    });
    this.#runs.set(gate.name, runs);
    return runs;
  }

  get #running(): number {
    let running = 0;
    for (const runs of this.#runs.values()) running += runs.running;
    return running;
  }

  #signal(signal: number): number {
    for (const runs of this.#runs.values()) runs.signal(signal);
    return this.#running;
  }

  #finishIfOver(): void {
    if (this.#stop !== null && this.#running === 0) this.#stop.finish();
  }
}
