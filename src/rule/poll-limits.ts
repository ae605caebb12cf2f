/** What polling cannot do: two looks tell what has changed between them, and nothing else. */
import { eventBits, namesOf } from "../event.ts";
import { type Alternative, eventsOf } from "./rule.ts";
import { parseDuration } from "./duration.ts";

/** Events that leave no trace for a look to find. */
const untraced =
  eventBits.open |
  eventBits.open_exec |
  eventBits.access |
  eventBits.close_nowrite |
  eventBits.move_self |
  eventBits.unmount |
  eventBits.q_overflow;

/** Less than this is a loop. */
const intervalMsMin = 10;

/** What a polled rule asks for in vain. */
export interface Missed {
  /** It is never met at all. */
  readonly isNever: boolean;
  /** `Cannot poll for open, access: ...` */
  readonly message: string;
}

/** Null if there may be all that the rule asks for. */
export function missedByPolling(condition: readonly Alternative[]): Missed | null {
  const missed = eventsOf(condition) & untraced;
  if (missed === 0) return null;
  const canBeMet = ({ groups }: Alternative): boolean =>
    groups.every((group) => (group & ~untraced) !== 0);
  const message =
    `Cannot poll for ${namesOf(missed).join(", ")}: ` +
    "a look from time to time finds no trace of that; leave it out";
  return { isNever: !condition.some(canBeMet), message };
}

/** @returns milliseconds, or what is wrong, as a clause with its cure */
export function parsePollInterval(text: string): number | string {
  const parsed = parseDuration(text);
  if (typeof parsed === "string" || parsed >= intervalMsMin) return parsed;
  return `it is too short; "${intervalMsMin}ms" is the least`;
}
