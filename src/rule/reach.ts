/** Whether a rule can be met at a place at all: a rule that never fires is worth a word. */
import { entryEvents, eventBits } from "../event.ts";
import type { Alternative } from "./rule.ts";

/** Why none of the alternatives can be met there, as a clause with its cure; null if one can. */
export function whyNeverMet(
  condition: readonly Alternative[],
  isDirectory: boolean,
): string | null {
  if (condition.some((alternative) => canBeMet(alternative, isDirectory))) return null;
  if (!isDirectory) return "it is not a directory, and these events happen in directories only";
  return "it is a directory, and its files do not count: add |FAN_EVENT_ON_CHILD to the events";
}

function canBeMet(alternative: Alternative, isDirectory: boolean): boolean {
  const possible = isDirectory ? possibleInDirectory(alternative) : ~entryEvents;
  return alternative.groups.every((group) => (group & possible) !== 0);
}

/** The directory's entries always count, what happens to their inodes or to itself by modifier only. */
function possibleInDirectory({ children, directories }: Alternative): number {
  return children || directories ? -1 : entryEvents | eventBits.q_overflow;
}
