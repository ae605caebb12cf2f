/** Changes that a look after the start finds again, although the journal has them: they need no other run. */
import { cString, latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { fileStatus } from "../../ffi/files.ts";
import { eventBits } from "../event.ts";
import { TriggerCursor } from "../reader/trigger.ts";
import type { HandledEntry } from "./store.ts";

const { create, moved_to, modify, close_write } = eventBits;

/** After these a file is there; after those it is complete. */
const arrivals = create | moved_to;
const completions = modify | close_write | moved_to;

/** What a look says of a file that is there, though it may have been moved there: see `watch/recovery.ts`. */
const foundArrival = create;

/** When the last run for a path was started, by what it was told: microseconds since 1970. */
interface Handled {
  arrival: number;
  completion: number;
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
 * Of a change and a start in one tick it is not known which came first. If the change was long read when
 * facron ended, there would be an entry of its own.
 */
export class Repeats {
  readonly #handled = new Map<string, Handled>();
  readonly #clocks: Clocks;

  constructor(entries: Iterable<HandledEntry>, clocks: Clocks) {
    this.#clocks = clocks;
    for (const { rule, trigger, started } of entries) this.#note(rule, trigger, started);
  }

  #note(rule: string, trigger: Uint8Array, started: number): void {
    const cursor = new TriggerCursor(trigger.slice().buffer);
    if (!cursor.next()) return;
    const key = keyOf(rule, cursor.path);
    const handled = this.#handled.get(key) ?? { arrival: -Infinity, completion: -Infinity };
    if ((cursor.events & arrivals) !== 0) handled.arrival = Math.max(handled.arrival, started);
    if ((cursor.events & completions) !== 0)
      handled.completion = Math.max(handled.completion, started);
    this.#handled.set(key, handled);
  }

  /** Whether the trigger at the cursor is one of those. */
  has(rule: string, { synthetic, path, events }: TriggerCursor): boolean {
    if (synthetic !== "restart" || (events & (foundArrival | completions)) === 0) return false;
    const handled = this.#handled.get(keyOf(rule, path));
    if (handled === undefined) return false;
    const arrival = (events & foundArrival) === 0 ? Infinity : handled.arrival;
    const completion = (events & completions) === 0 ? Infinity : handled.completion;
    const started = Math.min(arrival, completion);
    return started === Infinity || (started > -Infinity && this.#isAfter(started, changedAt(path)));
  }

  #isAfter(started: number, changed: number): boolean {
    const { tick, readUntil } = this.#clocks;
    return started >= changed + (changed + closeDelay <= readUntil ? 0 : tick);
  }
}

function keyOf(rule: string, path: Uint8Array): string {
  return `${rule}\0${latin1(path)}`;
}

/** Of what is at the path, and of what it leads to; Infinity if it is gone: then nothing is known. */
function changedAt(path: Uint8Array): number {
  try {
    const changes = [false, true].map(
      (followSymlink) => fileStatus(cString(path), { followSymlink }).changed,
    );
    return Math.max(...changes);
  } catch (error) {
    if (error instanceof SyscallError) return Infinity;
    throw error;
  }
}
