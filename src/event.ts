/** The events: our own names and bits, one table for every backend and dialect. */

/**
 * Names are the kernel's in lower case without prefix, in the order of a file's life: so a line lists
 * them when one record carries several.
 *
 * The bits are ours. That most of them have the value which inotify and fanotify share keeps the
 * backends' tables short; nothing outside `src/watch/` may rely on it.
 */
export const eventBits = {
  create: 0x0000_0100,
  open: 0x0000_0020,
  open_exec: 0x0000_1000,
  access: 0x0000_0001,
  modify: 0x0000_0002,
  attrib: 0x0000_0004,
  close_write: 0x0000_0008,
  close_nowrite: 0x0000_0010,
  moved_from: 0x0000_0040,
  moved_to: 0x0000_0080,
  rename: 0x0000_8000,
  delete: 0x0000_0200,
  move_self: 0x0000_0800,
  delete_self: 0x0000_0400,
  unmount: 0x0000_2000,
  q_overflow: 0x0000_4000,
} as const;

export type EventName = keyof typeof eventBits;

export const eventNames = Object.keys(eventBits) as EventName[];

/** Events about an entry of a directory: the directory reports them, whatever the entry is. */
export const entryEvents =
  eventBits.create |
  eventBits.delete |
  eventBits.moved_from |
  eventBits.moved_to |
  eventBits.rename;

/** The two sides of a rename, as they are told where `rename` is not asked for or one is out of sight. */
export const moveEvents = eventBits.moved_from | eventBits.moved_to;

/** Events of a place itself that its parent directory does not report. */
export const selfEvents = eventBits.delete_self | eventBits.move_self;

/** What `watch` shows unless it is told otherwise: everything that changes something. */
export const changeEvents =
  entryEvents |
  eventBits.modify |
  eventBits.attrib |
  eventBits.close_write |
  eventBits.delete_self |
  eventBits.move_self |
  eventBits.unmount;

/** The names of the bits in `events`, in the table's order. */
export function namesOf(events: number): EventName[] {
  return eventNames.filter((name) => (events & eventBits[name]) !== 0);
}

/** Why facron itself made an event that the kernel did not deliver. */
export const syntheticReasons = [
  "new-directory",
  "appeared",
  "overflow",
  "poll",
  "restart",
] as const;
export type SyntheticReason = (typeof syntheticReasons)[number];
