/** Changes that a look after the start finds again, although the journal has them: they need no other run. */
import { latin1 } from "../../ffi/bytes.ts";
import { eventBits } from "../event.ts";
import { TriggerCursor } from "../reader/trigger.ts";
import { changedAt, goneAt, hasExactTimes } from "./file-times.ts";
import type { HandledEntry } from "./store.ts";

const { create, moved_to, modify, close_write } = eventBits;

/** After these a file is there; after those it is complete. */
const arrivals = create | moved_to;
const completions = modify | close_write | moved_to;

/** What a look says of a file that is there, though it may have been moved there: see `watch/recovery.ts`. */
const foundArrival = create;

/** The last run for a path: microseconds since 1970. */
interface Run {
  /** Infinity: it is still to come. */
  started: number;
  /** The file's time of change, as it was before the run. */
  changed: number;
}

/** By what they were told. */
interface Runs {
  readonly arrival: Run;
  readonly completion: Run;
}

/** Microseconds, as all of these. */
export interface Clocks {
  /** A file's time of change may be so much earlier than the change. */
  readonly tick: number;
  /** All that happened before was read and is in the journal: since 1970. */
  readonly readUntil: number;
}

/** Whoever changes a file closes it within this time, or changes it again: microseconds. */
const closeDelay = 100_000;

/**
 * A run that is started after a file's last change finds it as it is now. So what the look says is
 * known if there is such a run, or one is still to come.
 *
 * Where times are not exact, of a change and a start in one tick it is not known which came first. But if
 * the change was long read when facron ended, there would be an entry of its own.
 */
export class Repeats {
  readonly #runs = new Map<string, Runs>();
  readonly #clocks: Clocks;

  constructor(entries: Iterable<HandledEntry>, clocks: Clocks) {
    this.#clocks = clocks;
    for (const entry of entries) this.#note(entry);
  }

  #note({ rule, trigger, ...run }: HandledEntry): void {
    const cursor = new TriggerCursor(trigger.slice().buffer);
    if (!cursor.next()) return;
    const key = keyOf(rule, cursor.path);
    const runs = this.#runs.get(key) ?? { arrival: noRun(), completion: noRun() };
    if ((cursor.events & arrivals) !== 0) extend(runs.arrival, run);
    if ((cursor.events & completions) !== 0) extend(runs.completion, run);
    this.#runs.set(key, runs);
  }

  /** Whether the trigger at the cursor is one of those. */
  has(rule: string, { synthetic, path, events }: TriggerCursor): boolean {
    if (synthetic !== "restart") return false;
    const runs = this.#runs.get(keyOf(rule, path));
    if (runs === undefined) return false;
    const needed: Run[] = [];
    if ((events & foundArrival) !== 0) needed.push(runs.arrival);
    if ((events & completions) !== 0) needed.push(runs.completion);
    return needed.length > 0 && needed.every((run) => this.#sees(run, path));
  }

  #sees({ started, changed }: Run, path: Uint8Array): boolean {
    if (started === Infinity) return true;
    const now = changedAt(path);
    if (now === goneAt) return false;
    if (now === changed && hasExactTimes(path)) return true;
    const { tick, readUntil } = this.#clocks;
    return started >= now + (now + closeDelay <= readUntil ? 0 : tick);
  }
}

function noRun(): Run {
  return { started: -Infinity, changed: goneAt };
}

function extend(run: Run, { started, changed }: Run): void {
  run.started = Math.max(run.started, started);
  run.changed = Math.max(run.changed, changed);
}

function keyOf(rule: string, path: Uint8Array): string {
  return `${rule}\0${latin1(path)}`;
}
