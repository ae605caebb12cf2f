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

/** When the last run for a path was started, by what it was told: microseconds since 1970. */
interface Handled {
  arrival: number;
  completion: number;
}

/**
 * A run that is started after a file's last change finds it as it is now. So what the look says is
 * known if there is such a run, or one is still to come.
 */
export class Repeats {
  readonly #handled = new Map<string, Handled>();
  /** A file's time of change may be so much earlier than the change: microseconds. */
  readonly #tick: number;

  constructor(entries: Iterable<HandledEntry>, tickMicroseconds: number) {
    this.#tick = tickMicroseconds;
    for (const { rule, trigger, started } of entries)
      this.#note(rule, trigger, started ?? Infinity);
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
    if (synthetic !== "restart" || (events & (arrivals | completions)) === 0) return false;
    const handled = this.#handled.get(keyOf(rule, path));
    if (handled === undefined) return false;
    const arrival = (events & arrivals) === 0 ? Infinity : handled.arrival;
    const completion = (events & completions) === 0 ? Infinity : handled.completion;
    const started = Math.min(arrival, completion);
    if (started === Infinity) return true;
    return started > -Infinity && started >= changedAt(path) + this.#tick;
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
