/** Names that facron itself waits for: an inotify instance beside those that serve rules. */
import { cString, fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { bytesReadable, type Fd, readNow } from "../../ffi/fd.ts";
import {
  IN_CLOSE_WRITE,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_ISDIR,
  IN_MOVE_SELF,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_ONLYDIR,
  IN_Q_OVERFLOW,
} from "../../ffi/inotify/abi.ts";
import { inotifyAddWatch, inotifyInit, inotifyRemoveWatch } from "../../ffi/inotify/calls.ts";
import { InotifyReader } from "../../ffi/inotify/reader.ts";

/** What is waited for in one directory. */
export interface Wanted {
  /** Absolute, one char for one byte; "" is the root. */
  readonly directory: string;
  /** One name, or a choice of names; null: only that the directory itself stays where it is. */
  readonly names: string | ((name: string, isDirectory: boolean) => boolean) | null;
}

/** A directory goes, or is no longer where it was. */
const itselfMask = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

/** Names come and go. */
export const namesMask = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM;

/** The same, and what is written under them. */
export const contentsMask = namesMask | IN_CLOSE_WRITE;

type Matches = (name: string, isDirectory: boolean) => boolean;

/** All that is waited for in one directory. */
class Names {
  readonly #exact = new Set<string>();
  readonly #choices: Matches[] = [];

  add(names: Wanted["names"]): void {
    if (typeof names === "string") this.#exact.add(names);
    else if (names !== null) this.#choices.push(names);
  }

  get isEmpty(): boolean {
    return this.#exact.size === 0 && this.#choices.length === 0;
  }

  has(name: string, isDirectory: boolean): boolean {
    return this.#exact.has(name) || this.#choices.some((matches) => matches(name, isDirectory));
  }
}

interface Watched {
  readonly wd: number;
  readonly mask: number;
}

/** What one descriptor is for: one directory may have several paths. */
interface Watch {
  readonly names: Names[];
  mask: number;
}

const readBytes = 64 * 1024;

/** Told of a directory that can't be watched. */
export type Cannot = (directory: string, error: SyscallError) => void;

export class SideWatch {
  readonly #mask: number;
  readonly #buffer = new Uint8Array(readBytes);
  readonly #records = new InotifyReader(this.#buffer);
  #byDirectory = new Map<string, Watched>();
  #byWd = new Map<number, Watch>();
  /** Opened when the first name is wanted: most configurations want none. */
  #fd: Fd | null = null;

  /** @param mask of the names, `namesMask` or `contentsMask` */
  constructor(mask: number) {
    this.#mask = mask | itselfMask;
  }

  /** For poll(2); -1 while nothing is wanted. */
  get pollFd(): number {
    return this.#fd?.number ?? -1;
  }

  /** Directories watched. */
  get size(): number {
    return this.#byWd.size;
  }

  /**
   * Wait for these names and no others. Each path is looked up anew: another directory may be there.
   *
   * @returns whether a directory is watched that was not: what is in it has to be looked at again
   */
  set(wanted: readonly Wanted[], cannot: Cannot): boolean {
    const before = this.#byDirectory;
    const wdsBefore = this.#byWd.keys();
    this.#byDirectory = new Map();
    this.#byWd = new Map();
    let isNew = false;
    for (const [directory, names] of byDirectory(wanted)) {
      const added = this.#add(directory, names, cannot);
      if (added === "gone") isNew = true;
      if (typeof added === "string") continue;
      const known = before.get(directory);
      if (known?.wd !== added.wd || (added.mask & ~known.mask) !== 0) isNew = true;
    }
    for (const wd of wdsBefore) if (!this.#byWd.has(wd)) this.#remove(wd);
    return isNew;
  }

  /** Read what is queued now. @returns whether something happened that is waited for */
  read(): boolean {
    if (this.#fd === null) return false;
    const { number } = this.#fd;
    let matters = false;
    for (let left = bytesReadable(number); left > 0;) {
      const length = readNow(number, this.#buffer);
      if (length <= 0) break;
      left -= length;
      this.#records.reset(length);
      while (this.#records.next()) matters ||= this.#isWaitedFor();
    }
    return matters;
  }

  #isWaitedFor(): boolean {
    const { wd, mask, nameStart, nameEnd } = this.#records;
    if ((mask & IN_Q_OVERFLOW) !== 0) return true;
    const watch = this.#byWd.get(wd);
    if (watch === undefined) return false; // no longer, and this was still queued
    if (nameStart === nameEnd) return true;
    const name = latin1(this.#buffer.subarray(nameStart, nameEnd));
    const isDirectory = (mask & IN_ISDIR) !== 0;
    return watch.names.some((names) => names.has(name, isDirectory));
  }

  /** @returns "gone" if there is no such directory any more */
  #add(directory: string, names: Names, cannot: Cannot): Watched | "gone" | "refused" {
    try {
      this.#fd ??= inotifyInit();
      const fd = this.#fd.number;
      const path = cString(fromLatin1(directory === "" ? "/" : directory));
      const mask = names.isEmpty ? itselfMask : this.#mask;
      const wd = inotifyAddWatch(fd, path, mask);
      const watch = this.#byWd.get(wd) ?? { names: [], mask };
      watch.names.push(names);
      const union = watch.mask | mask;
      if (union !== mask) inotifyAddWatch(fd, path, union); // the call before has replaced it
      watch.mask = union;
      this.#byWd.set(wd, watch);
      const watched = { wd, mask };
      this.#byDirectory.set(directory, watched);
      return watched;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (isGone(error)) return "gone";
      cannot(directory, error);
      return "refused";
    }
  }

  #remove(wd: number): void {
    try {
      inotifyRemoveWatch(this.#fd!.number, wd);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error; // it went with its directory
    }
  }
}

function byDirectory(wanted: readonly Wanted[]): Map<string, Names> {
  const all = new Map<string, Names>();
  for (const { directory, names } of wanted) {
    const there = all.get(directory) ?? new Names();
    there.add(names);
    all.set(directory, there);
  }
  return all;
}

/** What was there is no longer, or is no directory. */
export function isGone({ errno }: SyscallError): boolean {
  return errno === Errno.ENOENT || errno === Errno.ENOTDIR;
}
