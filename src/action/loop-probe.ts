/**
 * Finds loops that nothing but their pace speaks for: each run of a path follows the one before it at once.
 *
 * So does a neighbour that writes all the time. But a loop ends when its command is not run: a trigger is
 * held for a moment, and if nothing else comes meanwhile, again and again, there is no neighbour.
 */
import type { Trigger } from "../reader/trigger.ts";
import type { Rule } from "../rule/rule.ts";
import { kept } from "./job.ts";

export interface LoopProbeOptions {
  /** Milliseconds, of a clock that never goes back. */
  readonly now: () => number;
  readonly later: (ms: number, then: () => void) => void;
  /** Run the rule for this trigger, which is its own copy. */
  readonly release: (rule: Rule, trigger: Trigger) => void;
}

/** "hold": the probe has the trigger. "loop": one probe too many was met with silence. */
export type Probed = "run" | "hold" | "loop";

/** Runs that follow each other before the first probe, and before each that comes after it. */
const streakMin = 20;
const streakAgain = 5;
/** After the end of a run: what comes later than that is slow enough to be left alone. */
const followsWithinMs = 500;
/** So long a trigger is held. */
const holdMs = 1_000;
const silencesMax = 3;
/** Somebody else writes: no probe for so long. */
const clearedMs = 60_000;
const pathsMax = 10_000;

interface Held {
  readonly rule: Rule;
  readonly triggers: Trigger[];
}

interface Streak {
  /** Until the next probe. */
  left: number;
  silences: number;
  clearedUntil: number;
  held: Held | null;
  /** What was held is on its way again. */
  isReleased: boolean;
}

export class LoopProbe {
  readonly #options: LoopProbeOptions;
  /** By rule and path, those first that were not added to for longest. */
  readonly #streaks = new Map<string, Streak>();
  #holding = 0;

  constructor(options: LoopProbeOptions) {
    this.#options = options;
  }

  /** Some trigger is held: any other for its path, from whomever, has to be told of. */
  get isHolding(): boolean {
    return this.#holding > 0;
  }

  /**
   * A trigger that no window speaks for.
   *
   * @param endedAt when the window of the rule's last run for the path was closed; null: it does not count
   */
  probe(rule: Rule, trigger: Trigger, path: string, endedAt: number | null): Probed {
    const key = `${rule.name}\0${path}`;
    const streak = this.#streaks.get(key);
    if (streak !== undefined && streak.held !== null) {
      streak.held.triggers.push(kept(trigger));
      this.#clear(streak);
      return "hold";
    }
    if (streak?.isReleased === true) {
      streak.isReleased = false;
      return "run";
    }
    const now = this.#options.now();
    if (endedAt === null || now - endedAt > followsWithinMs) {
      this.#streaks.delete(key);
      return "run";
    }
    return this.#follows(this.#goingOn(key, streak), now, { key, rule, trigger });
  }

  /** The end is near: what is held is held no longer. */
  flush(): void {
    for (const streak of this.#streaks.values()) this.#release(streak);
  }

  #goingOn(key: string, known: Streak | undefined): Streak {
    const fresh = { left: streakMin, silences: 0, clearedUntil: 0, held: null, isReleased: false };
    const streak: Streak = known ?? fresh;
    this.#streaks.delete(key);
    this.#streaks.set(key, streak);
    const [oldest] = this.#streaks;
    if (this.#streaks.size > pathsMax && oldest![1].held === null) this.#streaks.delete(oldest![0]);
    return streak;
  }

  #follows(
    streak: Streak,
    now: number,
    { key, rule, trigger }: { key: string; rule: Rule; trigger: Trigger },
  ): Probed {
    if (now < streak.clearedUntil || --streak.left > 0) return "run";
    if (streak.silences >= silencesMax) {
      this.#streaks.delete(key);
      return "loop";
    }
    streak.left = streakAgain;
    const held = { rule, triggers: [kept(trigger)] };
    streak.held = held;
    this.#holding++;
    this.#options.later(holdMs, () => {
      if (streak.held !== held) return;
      streak.silences++;
      streak.isReleased = true;
      this.#release(streak);
    });
    return "hold";
  }

  /** Something came although nothing was run: somebody else writes. */
  #clear(streak: Streak): void {
    streak.silences = 0;
    streak.left = streakMin;
    streak.clearedUntil = this.#options.now() + clearedMs;
    const { held } = streak;
    // Later, as whoever asks is not done with what came before.
    this.#options.later(0, () => streak.held === held && this.#release(streak));
  }

  #release(streak: Streak): void {
    const { held } = streak;
    if (held === null) return;
    streak.held = null;
    this.#holding--;
    for (const trigger of held.triggers) this.#options.release(held.rule, trigger);
  }
}
