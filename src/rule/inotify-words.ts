/** An event in inotify's own words, as incron's tables pass them to commands. */
import { type EventName, namesOf } from "../event.ts";

/** inotify(7); `rename` and `open_exec` have no bit there. */
const bits: Partial<Record<EventName, number>> = {
  access: 0x0000_0001,
  modify: 0x0000_0002,
  attrib: 0x0000_0004,
  close_write: 0x0000_0008,
  close_nowrite: 0x0000_0010,
  open: 0x0000_0020,
  moved_from: 0x0000_0040,
  moved_to: 0x0000_0080,
  create: 0x0000_0100,
  delete: 0x0000_0200,
  delete_self: 0x0000_0400,
  move_self: 0x0000_0800,
  unmount: 0x0000_2000,
  q_overflow: 0x0000_4000,
};
const IN_ISDIR = 0x4000_0000;

interface Happening {
  /** `eventBits` */
  readonly events: number;
  readonly isDirectory: boolean;
}

/** "IN_CREATE,IN_ISDIR" */
export function inotifyNames({ events, isDirectory }: Happening): string {
  const names = namesOf(events).filter((name) => bits[name] !== undefined);
  const written = names.map((name) => `IN_${name.toUpperCase()}`);
  return (isDirectory ? [...written, "IN_ISDIR"] : written).join(",");
}

/** `inotify_event.mask` */
export function inotifyMask({ events, isDirectory }: Happening): number {
  return namesOf(events).reduce(
    (mask, name) => mask | (bits[name] ?? 0),
    isDirectory ? IN_ISDIR : 0,
  );
}
