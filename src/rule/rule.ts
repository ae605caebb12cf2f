/** The one neutral rule that every dialect becomes: what to watch, for which events, what to run. */
import { eventBits } from "../event.ts";
import type { Filter } from "./filter.ts";
import type { Policy, Surroundings } from "./policy.ts";
import type { WrittenActorWish } from "./actor.ts";
import type { Command } from "./template.ts";

export interface Rule {
  /** Unique in the configuration; JSON lines and the log carry it. */
  readonly name: string;
  readonly watch: readonly WatchPath[];
  readonly backend: BackendChoice;
  /** How often it is looked for changes where that is done by polling; absent: `defaultPollIntervalMs`. */
  readonly pollIntervalMs?: number;
  /** Absent: "tree". */
  readonly scope?: Scope;
  /** Met when any of these is. */
  readonly condition: readonly Alternative[];
  /** Null: the events are only written out. */
  readonly command: Command | null;
  /** Who the command runs as; absent: as facron itself. */
  readonly runAs?: RunAs;
  /** How its runs relate to its events and to each other; absent: `defaultPolicy`. */
  readonly policy?: Policy;
  /** What the command gets from the kernel besides its user; absent: as facron itself. */
  readonly surroundings?: Surroundings;
  /** Met once, and then not again before facron is started anew. */
  readonly once?: boolean;
  /** Absent: it is for everything that happens there. */
  readonly filter?: Filter;
  /** It tells who did it, and may be for some processes only. */
  readonly actor?: WrittenActorWish;
}

/**
 * What the kernel is asked to report of a recursive path: each directory of the tree by a watch of its
 * own, or the whole filesystem that it is on.
 */
export type Scope = "tree" | "filesystem";

/** A user that commands run as: with its groups, and with HOME, USER, LOGNAME and SHELL of its own. */
export interface RunAs {
  /** A name, or a uid in decimal. */
  readonly user: string;
  /** Nothing of facron's environment: only these, PATH, and what tells of the event. */
  readonly clearsEnvironment: boolean;
  /** Only for what that user could watch itself: the place may be read by it when the command starts. */
  readonly needsAccess: boolean;
}

export type BackendName = "inotify" | "fanotify";

/** "auto": fanotify with privilege, else inotify. "poll": no kernel interface, but looks now and then. */
export type BackendChoice = BackendName | "auto" | "poll";

/** How often, unless a rule says otherwise. */
export const defaultPollIntervalMs = 2_000;

export interface WatchPath {
  /** Absolute, without "." and "//" and trailing slash; bytes as the user gave them. */
  readonly path: Uint8Array;
  /** Directories below it too, also those that come later. */
  readonly recursive: boolean;
  /** `path` is a pattern of components (`glob.ts`), for what is there and for what comes. */
  readonly isGlob?: boolean;
  /** Recursion stays out of directories whose name starts with a dot. */
  readonly skipsDotDirectories?: boolean;
  /** Not if it is a symbolic link (IN_DONT_FOLLOW). */
  readonly refusesSymlink?: boolean;
  /** Not if it is no directory (IN_ONLYDIR). */
  readonly refusesFile?: boolean;
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
