/** What filters are asked about: one file, as one record speaks of it. */
import { eventBits } from "../event.ts";
import type { PathGlob } from "./path-glob.ts";

/** As `type` names them; "other" is a pipe, a socket or a device. */
export type FileType = "file" | "dir" | "symlink" | "other";

export interface FileFacts {
  readonly type: FileType;
  /** Bytes. */
  readonly size: number;
}

/** What filters ask of the disk. */
export interface Disk {
  /** @param path absolute. @returns null if nothing is there, or it may not be looked at */
  facts(path: Uint8Array, options: { readonly followSymlink: boolean }): FileFacts | null;
  /** The patterns of an ignore file as it is now; none if there is no such file. */
  ignoreRules(path: Uint8Array, options: { readonly followSymlink: boolean }): IgnoreRulesNow;
}

/** Where nothing is. */
export const noDisk: Disk = {
  facts: () => null,
  ignoreRules: () => ({ rules: [] }),
};

/** Files that are looked at again before each answer, if that is due. */
export interface IgnoreRulesNow {
  readonly rules: readonly IgnoreRule[];
}

/** A directory's path with a slash at its end. While it is the same object it is the same path. */
export interface DirectoryPath {
  readonly raw: Uint8Array;
}

export interface Subject {
  readonly directory: DirectoryPath;
  /** So many bytes of the directory's path are those of the watch. */
  readonly rootLength: number;
  readonly name: Uint8Array;
  readonly isDirectory: boolean;
  /** The end of the watched directory itself: it is asked for as such, whatever it is called. */
  readonly isOfWatch: boolean;
  /** Null: not known, as it is gone. */
  readonly facts: FileFacts | null;
}

/** A line of an ignore file. */
export interface IgnoreRule {
  readonly glob: PathGlob;
  /** With `!`: what earlier lines ignore is not ignored. */
  readonly isNegative: boolean;
  /** From 1. */
  readonly line: number;
  /** The file that it stands in. */
  readonly file: Uint8Array;
}

/** A watched path itself: its name is one like those in its directory, and nothing is above it. */
export function watchedItself(
  path: Uint8Array,
): Pick<Subject, "directory" | "rootLength" | "name"> {
  const cut = path.lastIndexOf(slash) + 1;
  return {
    directory: { raw: path.subarray(0, cut) },
    rootLength: cut,
    name: path.subarray(cut),
  };
}

const slash = 0x2f;

const departures =
  eventBits.delete | eventBits.moved_from | eventBits.delete_self | eventBits.move_self;

/** Whether what is at the path after these events is another file, if there is one. */
export function isDeparture(events: number): boolean {
  return (events & ~departures) === 0;
}

const endsOfWatch = eventBits.delete_self | eventBits.move_self | eventBits.unmount;

/** `Subject.isOfWatch` */
export function isEndOfWatch(
  events: number,
  { isDirectory, isWatched }: { readonly isDirectory: boolean; readonly isWatched: boolean },
): boolean {
  return isDirectory && isWatched && (events & endsOfWatch) !== 0;
}
