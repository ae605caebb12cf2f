/**
 * Decides what a rule's own commands did: that does not set it off.
 *
 * With fanotify it goes by who did it. Where that is not known, by what ran for that path meanwhile. What
 * gets past both is stopped by a circuit breaker.
 */
import { latin1 } from "../../ffi/bytes.ts";
import { eventBits } from "../event.ts";
import { noFamily } from "../family/family.ts";
import type { Trigger } from "../reader/trigger.ts";
import { defaultPollIntervalMs, type Rule } from "../rule/rule.ts";
import { LoopBreaker, type LoopBreakerOptions } from "./loop-breaker.ts";
import { LoopProbe } from "./loop-probe.ts";
import { PassedOver, type WhyOwn } from "./passed-over.ts";
import { type BegunRun, type Cause, isInWindow, type PastRun, RunHistory } from "./run-history.ts";

export type Judgement =
  /** For `began`, of all triggers of a run together. */
  | { readonly verdict: "run"; readonly causes: readonly Cause[] }
  /** A command of the rule has done it, or of one that it set off. */
  | { readonly verdict: "own" }
  /** It waits, and `release` gets the last of those that wait. */
  | { readonly verdict: "suspended" };

export type LoopGuardOptions = LoopBreakerOptions;

const external: Judgement = { verdict: "run", causes: [] };
const own: Judgement = { verdict: "own" };
const suspended: Judgement = { verdict: "suspended" };

/** A run that has more is not told of all. */
const causesMax = 8;
/** A look takes its time, and some filesystems count in seconds. */
const pollSlackMs = 2_000;

export class LoopGuard {
  readonly #now: () => number;
  readonly #history: RunHistory;
  readonly #breaker: LoopBreaker;
  readonly #probe: LoopProbe;
  readonly #passedOver: PassedOver;

  constructor(options: LoopGuardOptions) {
    this.#now = options.now;
    this.#history = new RunHistory(options.now);
    this.#breaker = new LoopBreaker(options);
    this.#probe = new LoopProbe(options);
    this.#passedOver = new PassedOver(options);
  }

  /** Some rule is suspended: all triggers have to be judged then, also those from outside. */
  get isSuspending(): boolean {
    return this.#breaker.isSuspending || this.#probe.isHolding;
  }

  /** On how many paths rules are suspended, by their names. */
  get suspended(): ReadonlyMap<string, number> {
    return this.#breaker.suspended;
  }

  /** Let go what waits for the end of a suspension. */
  flush(): void {
    this.#breaker.flush();
    this.#probe.flush();
  }

  /** A command was started. @returns for `readUpAfter` */
  began(run: BegunRun): PastRun {
    return this.#history.begin(run);
  }

  /**
   * It has ended, and the reader has read what was queued then.
   *
   * @param seq of the last line until then: a trigger with a greater one is not its doing
   */
  readUpAfter(run: PastRun, seq: number): void {
    this.#history.close(run, seq);
  }

  /**
   * Whether a trigger is to be followed.
   *
   * @param path the trigger's, as latin1
   */
  judge(rule: Rule, trigger: Trigger, path: string): Judgement {
    if (this.#breaker.holds(rule, trigger, path)) return suspended;
    if (trigger.family === noFamily) {
      if (!this.#probe.isHolding) return external;
      return this.#probe.probe(rule, trigger, path, null) === "hold" ? suspended : external;
    }
    const stops = rule.policy?.loop !== "allow" && (trigger.events & eventBits.q_overflow) === 0;
    const chain = trigger.family > 0 ? this.#history.chainOf(trigger.family) : null;
    if (chain === null) return this.#judgeByTime(rule, trigger, path, stops);
    if (stops && chain.has(rule.name)) return this.#pass(rule, path, "known");
    // What caused that command may not have been known, and have been this rule for this path.
    const run = this.#history.ofPid(trigger.family);
    if (stops && run !== null && this.#breaker.returns(rule, path, [run]))
      return this.#pass(rule, path, "known");
    return this.#judgeCauses(rule, trigger, path, [{ run, chain }]);
  }

  /** Who did it is not known: what ran meanwhile? */
  #judgeByTime(rule: Rule, trigger: Trigger, path: string, stops: boolean): Judgement {
    if (trigger.synthetic === "poll") this.#history.keepFor(tellsWithinMs(rule));
    const runs = this.#runsFor(rule, trigger, path);
    const own = runs.filter(({ chain }) => chain.has(rule.name));
    if (stops && own.length > 0) {
      if (this.#isOwnByTime(rule, trigger, path, own)) return this.#pass(rule, path, "meanwhile");
      return this.#judgeCauses(rule, trigger, path, own.slice(-causesMax).map(causeOf));
    }
    const causes = runs.slice(-causesMax).map(causeOf);
    if (causes.length === 0)
      for (const run of this.#history.near(path)) {
        if (isInWindow(run, trigger)) causes.push({ run, chain: null });
        if (causes.length >= causesMax) break;
      }
    if (causes.length === 0) return this.#judgeByPace(rule, trigger, path);
    if (stops && this.#breaker.returns(rule, path, runsIn(causes)))
      return this.#pass(rule, path, "meanwhile");
    return this.#judgeCauses(rule, trigger, path, causes);
  }

  /**
   * With fanotify who did it has gone already: a short-lived process, and most of those are of the command.
   * With inotify it may be anybody, who has closed the file perhaps that the command was started for when
   * it was made: the rule runs once more, and what happens during that run is its own.
   */
  #isOwnByTime(rule: Rule, { pid }: Trigger, path: string, own: readonly PastRun[]): boolean {
    return pid !== 0 || this.#breaker.returns(rule, path, own, 2);
  }

  #judgeByPace(rule: Rule, trigger: Trigger, path: string): Judgement {
    const last = this.#history.on(path).findLast((run) => run.rule === rule.name);
    const probed = this.#probe.probe(rule, trigger, path, last?.closedAt ?? null);
    if (probed === "run") return external;
    if (probed === "loop") this.#breaker.suspend(rule, trigger, path, [rule.name]);
    return suspended;
  }

  #judgeCauses(rule: Rule, trigger: Trigger, path: string, causes: readonly Cause[]): Judgement {
    if (this.#breaker.trips(rule, trigger, path, runsIn(causes))) return suspended;
    return { verdict: "run", causes };
  }

  #pass(rule: Rule, path: string, why: WhyOwn): Judgement {
    this.#passedOver.note(rule.name, path, why);
    return own;
  }

  /** Runs for the path, in whose time it happened. */
  #runsFor(rule: Rule, trigger: Trigger, path: string): readonly PastRun[] {
    const runs = this.#history.on(path);
    const more = trigger.from.length === 0 ? [] : this.#history.on(latin1(trigger.from));
    if (runs.length === 0 && more.length === 0) return runs;
    return [...runs, ...more].filter((run) => this.#mayHaveDone(run, rule, trigger));
  }

  #mayHaveDone(run: PastRun, rule: Rule, trigger: Trigger): boolean {
    if (isInWindow(run, trigger)) return true;
    if (trigger.synthetic !== "poll" || trigger.time < run.startedAt) return false;
    return this.#now() - run.closedAt! <= tellsWithinMs(rule);
  }
}

function causeOf(run: PastRun): Cause {
  return { run, chain: run.chain };
}

function runsIn(causes: readonly Cause[]): PastRun[] {
  return causes.flatMap(({ run }) => run ?? []);
}

/** From what happens to what polling tells of it: a look, one more that finds it unchanged, and some time. */
function tellsWithinMs({ pollIntervalMs = defaultPollIntervalMs }: Rule): number {
  return 2 * pollIntervalMs + pollSlackMs;
}
