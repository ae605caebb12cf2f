/** The one neutral rule that every dialect becomes: what to watch, for which events, what to run. */
import { eventBits } from "../event.ts";
import type { Command } from "./template.ts";

export interface Rule {
  /** Unique in the configuration; JSON lines and the log carry it. */
  readonly name: string;
  readonly watch: readonly WatchPath[];
  readonly backend: BackendChoice;
  /** Met when any of these is. */
  readonly condition: readonly Alternative[];
  /** Null: the events are only written out. */
  readonly command: Command | null;
}

export type BackendName = "inotify" | "fanotify";

/** "auto": fanotify with privilege, else inotify. */
export type BackendChoice = BackendName | "auto";

export interface WatchPath {
  /** Absolute, without "." and "//" and trailing slash; bytes as the user gave them. */
  readonly path: Uint8Array;
  /** Directories below it too, also those that come later. */
  readonly recursive: boolean;
}

/** Met when each of its groups has happened to one path since it was last met. */
export interface Alternative {
  /** A group is a set of event bits and happens when any of them does. Most alternatives have one. */
  readonly groups: readonly number[];
  /** Events of what is inside a watched directory count (FAN_EVENT_ON_CHILD). */
  readonly children: boolean;
  /** Events of directories count (FAN_ONDIR). */
  readonly directories: boolean;
}

/** Every event that some alternative looks at. */
export function eventsOf(condition: readonly Alternative[]): number {
  let events = 0;
  for (const alternative of condition) for (const group of alternative.groups) events |= group;
  return events;
}

/** Whether the rule has to remember what has happened to a path. */
export function remembers(condition: readonly Alternative[]): boolean {
  return condition.some((alternative) => alternative.groups.length > 1);
}

/** Events that end what is remembered of a path: it is not the same file afterwards. */
export const forgettingEvents =
  eventBits.delete |
  eventBits.moved_from |
  eventBits.moved_to |
  eventBits.delete_self |
  eventBits.move_self;
