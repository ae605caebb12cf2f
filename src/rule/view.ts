/** How a record looks from a place, and what of it a rule gets to see. */
import { entryEvents, eventBits, moveEvents } from "../event.ts";
import { type Alternative, eventsOf, forgettingEvents } from "./rule.ts";

/** Bits above the events' own. */
export const viewSelf = 0x2000_0000;
export const viewDirectory = 0x4000_0000;
/** A move that the rules which ask for `rename` hear of by that, and not by its two sides. */
export const viewRenamed = 0x1000_0000;
/** Only for rules that ask for `rename`: the side that is seen of one that is not seen whole. */
export const viewAskers = 0x0800_0000;

export const views = viewSelf | viewDirectory | viewRenamed | viewAskers;

/** The record as a rule gets to see it, 0 if it does not: a rename is told once to whoever asks for it. */
export function kindFor(condition: readonly Alternative[], kind: number): number {
  const asksForRename = (eventsOf(condition) & eventBits.rename) !== 0;
  if ((kind & viewAskers) !== 0 && !asksForRename) return 0;
  return (kind & viewRenamed) !== 0 && asksForRename ? kind & ~moveEvents : kind;
}

/**
 * What a pattern names counts as watched itself, whether or not children do. A directory of that name
 * is a place of its own: here only its coming and going is told.
 */
export function asItself(kind: number): number {
  if ((kind & viewDirectory) === 0) return kind | viewSelf;
  return kind & (entryEvents | viewDirectory | viewRenamed | viewAskers);
}

/** Bit n for each group n that this record brings, 0 if the alternative does not look at such records. */
export function groupsIn(alternative: Alternative, kind: number): number {
  if ((kind & viewDirectory) !== 0 && !alternative.directories) return 0;
  // An entry's coming and going is reported by the directory itself (fanotify_mark(2)), so it needs
  // no FAN_EVENT_ON_CHILD; what happens to the entry's inode does.
  const seen = (kind & viewSelf) !== 0 || alternative.children ? kind : kind & entryEvents;
  let bits = 0;
  alternative.groups.forEach((group, n) => {
    if ((seen & group) !== 0) bits |= 1 << n;
  });
  return bits;
}

/** A path's history ends with it, unless its ending is what the alternative waits for. */
export function forgets(alternative: Alternative, kind: number): boolean {
  const listed = alternative.groups.reduce((events, group) => events | group, 0);
  // A rename that it waits for is told for itself: the name's history starts with that.
  const isStart = (kind & viewRenamed) !== 0 && (listed & eventBits.rename) !== 0;
  const ending = isStart ? kind & ~eventBits.moved_to : kind;
  return (ending & forgettingEvents & ~listed) !== 0;
}
