/** Suspends a rule that sets itself off again and again on one path, and lets it come back after a pause. */
import { fromLatin1 } from "../../ffi/bytes.ts";
import { type Log, quoted } from "../log.ts";
import type { Trigger } from "../reader/trigger.ts";
import type { Rule } from "../rule/rule.ts";
import { kept } from "./job.ts";
import { isPartOf, lastNames, type PastRun, rememberedMs } from "./run-history.ts";

export interface LoopBreakerOptions {
  readonly log: Log;
  /** Milliseconds, of a clock that never goes back. */
  readonly now: () => number;
  /** setTimeout(3): it must not keep the program running. */
  readonly later: (ms: number, then: () => void) => void;
  /** Run the rule for this trigger, which is its own copy, without asking again. */
  readonly release: (rule: Rule, trigger: Trigger) => void;
  /** It is not released: a later one for its path stands for it. */
  readonly onSuperseded: (trigger: Trigger) => void;
}

/** So often within `rememberedMs`, each caused by the one before it, is a loop. */
const runsMax = 20;
const pauseMs = 60_000;
/** At once; each has cost twenty runs. */
const suspendedMax = 10_000;
/** Runs looked at: of a loop through some rules there are runs enough among them. */
const ancestorsMax = 512;

interface Suspension {
  rule: Rule;
  readonly path: string;
  held: number;
  last: Trigger;
}

export class LoopBreaker {
  readonly #options: LoopBreakerOptions;
  readonly #suspended = new Map<string, Suspension>();

  constructor(options: LoopBreakerOptions) {
    this.#options = options;
  }

  /** Some rule is suspended. */
  get isSuspending(): boolean {
    return this.#suspended.size > 0;
  }

  /** Whether the rule is suspended on this path: then the trigger waits for its return. */
  holds(rule: Rule, trigger: Trigger, path: string): boolean {
    if (this.#suspended.size === 0) return false;
    const suspension = this.#suspended.get(keyOf(rule, path));
    if (suspension === undefined) return false;
    suspension.rule = rule;
    suspension.held++;
    this.#options.onSuperseded(suspension.last);
    suspension.last = kept(trigger);
    return true;
  }

  /** Whether the rule has run so often for this path in the ancestry of what may have caused the trigger. */
  returns(rule: Rule, path: string, causes: readonly PastRun[], times = 1): boolean {
    return loopIn(causes, times, this.#of(rule, path)) !== null;
  }

  /** Whether one more run would be one too many: the rule is suspended then, and the trigger waits. */
  trips(rule: Rule, trigger: Trigger, path: string, causes: readonly PastRun[]): boolean {
    if (causes.length === 0) return false;
    const search = this.#of(rule, path);
    const growing = causes.filter((run) => grows(run, path));
    const loop =
      loopIn(causes, runsMax, search) ??
      loopIn(growing, runsMax, {
        since: search.since,
        isSame: (run) => run.rule === rule.name,
        follows: (run, cause) => run.paths.length === 1 && grows(cause, run.paths[0]!),
      });
    if (loop === null) return false;
    this.suspend(rule, trigger, path, loop);
    return true;
  }

  #of(rule: Rule, path: string): Search {
    const since = this.#options.now() - rememberedMs;
    return { since, isSame: (run) => run.rule === rule.name && run.paths.includes(path) };
  }

  /** On how many paths rules are suspended, by their names. */
  get suspended(): ReadonlyMap<string, number> {
    const paths = new Map<string, number>();
    for (const { rule } of this.#suspended.values())
      paths.set(rule.name, (paths.get(rule.name) ?? 0) + 1);
    return paths;
  }

  /** The end is near: what waits waits no longer. */
  flush(): void {
    for (const key of [...this.#suspended.keys()]) this.#resume(key);
  }

  /** @param loop the rules of the cycle, but for this one at its end */
  suspend(rule: Rule, trigger: Trigger, path: string, loop: readonly string[]): void {
    const key = keyOf(rule, path);
    if (this.#suspended.size >= suspendedMax) this.#resume(this.#suspended.keys().next().value!);
    this.#suspended.set(key, { rule, path, held: 1, last: kept(trigger) });
    const cycle = [...loop, rule.name].map((name) => `rule ${quoted(name)}`).join(" -> ");
    this.#options.log.error(
      `${cycle} on ${quoted(fromLatin1(path))}: a loop, ${runsMax} runs in ${rememberedMs / 1000} s; ` +
        `suspended on that path for ${pauseMs / 1000} s: let the command write elsewhere, or exclude what it writes`,
    );
    this.#options.later(pauseMs, () => this.#resume(key));
  }

  #resume(key: string): void {
    const suspension = this.#suspended.get(key);
    if (suspension === undefined) return;
    this.#suspended.delete(key);
    const { rule, path, held, last } = suspension;
    const events = held === 1 ? "1 event that waited" : `the last of ${held} events that waited`;
    this.#options.log.info(
      `rule ${quoted(rule.name)}: back on ${quoted(fromLatin1(path))}, for ${events}`,
    );
    this.#options.release(rule, last);
  }
}

interface Search {
  /** Milliseconds: runs that began before that do not count. */
  readonly since: number;
  readonly isSame: (run: PastRun) => boolean;
  readonly follows?: (run: PastRun, cause: PastRun) => boolean;
}

/** The rules from the nearest run that is the same down to the trigger; null if there are not enough such runs. */
function loopIn(
  causes: readonly PastRun[],
  count: number,
  { since, isSame, follows = () => true }: Search,
): readonly string[] | null {
  const nextOf = new Map<PastRun, PastRun | null>(causes.map((cause) => [cause, null]));
  let nearest: PastRun | null = null;
  let found = 0;
  for (const run of nextOf.keys()) {
    if (run.begunAt < since) continue;
    if (isSame(run)) {
      nearest ??= run;
      if (++found >= count) return rulesFrom(nearest, nextOf);
    }
    for (const cause of run.causes) {
      if (nextOf.size >= ancestorsMax) break;
      if (!nextOf.has(cause) && follows(run, cause)) nextOf.set(cause, run);
    }
  }
  return null;
}

function rulesFrom(run: PastRun, nextOf: ReadonlyMap<PastRun, PastRun | null>): string[] {
  const rules: string[] = [];
  for (let at: PastRun | null = run; at !== null; at = nextOf.get(at) ?? null) rules.push(at.rule);
  return rules;
}

/** The name is that of what the run was for, and more: f, f.bak, f.bak.bak. */
function grows(run: PastRun, path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return lastNames(run).some((one) => isPartOf(one, name));
}

function keyOf({ name }: Rule, path: string): string {
  return `${name}\0${path}`;
}
