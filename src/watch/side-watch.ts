/** Names that facron itself waits for: an inotify instance beside those that serve rules. */
import { cString, latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { type Fd, readNow } from "../../ffi/fd.ts";
import {
  IN_CLOSE_WRITE,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_IGNORED,
  IN_MOVE_SELF,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_ONLYDIR,
  IN_Q_OVERFLOW,
} from "../../ffi/inotify/abi.ts";
import { inotifyAddWatch, inotifyInit, inotifyRemoveWatch } from "../../ffi/inotify/calls.ts";
import { InotifyReader } from "../../ffi/inotify/reader.ts";

/** Names in one directory. */
export interface WantedName {
  /** Absolute, one char for one byte. */
  readonly directory: string;
  readonly matches: (name: string) => boolean;
}

/** Names come and go. */
export const namesMask =
  IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF;

/** The same, and what is written under them. */
export const contentsMask = namesMask | IN_CLOSE_WRITE;

interface Watched {
  readonly wd: number;
  wanted: WantedName[];
}

const readBytes = 64 * 1024;

export class SideWatch {
  readonly #mask: number;
  readonly #buffer = new Uint8Array(readBytes);
  readonly #records = new InotifyReader(this.#buffer);
  readonly #byDirectory = new Map<string, Watched>();
  readonly #byWd = new Map<number, Watched[]>();
  /** Opened when the first name is wanted: most configurations want none. */
  #fd: Fd | null = null;

  constructor(mask: number) {
    this.#mask = mask | IN_ONLYDIR;
  }

  /** For poll(2); -1 while nothing is wanted. */
  get pollFd(): number {
    return this.#fd?.number ?? -1;
  }

  /**
   * Wait for these names and no others.
   *
   * @param cannot is told of directories that can't be watched
   * @returns whether a directory is watched that was not: what is in it has to be looked at again
   */
  set(
    wanted: readonly WantedName[],
    cannot: (directory: string, error: SyscallError) => void,
  ): boolean {
    const byDirectory = new Map<string, WantedName[]>();
    for (const one of wanted) {
      const there = byDirectory.get(one.directory);
      if (there === undefined) byDirectory.set(one.directory, [one]);
      else there.push(one);
    }
    let isNew = false;
    for (const [directory, names] of byDirectory) {
      const known = this.#byDirectory.get(directory);
      if (known !== undefined) known.wanted = names;
      else isNew = this.#add(directory, names, cannot) || isNew;
    }
    for (const directory of [...this.#byDirectory.keys()])
      if (!byDirectory.has(directory)) this.#remove(directory);
    return isNew;
  }

  /** Read what has happened. @returns whether something did that is waited for */
  read(): boolean {
    if (this.#fd === null) return false;
    let matters = false;
    for (;;) {
      const length = readNow(this.#fd.number, this.#buffer);
      if (length <= 0) return matters;
      this.#records.reset(length);
      while (this.#records.next()) matters = this.#take() || matters;
    }
  }

  #take(): boolean {
    const { wd, mask, nameStart, nameEnd } = this.#records;
    if ((mask & IN_Q_OVERFLOW) !== 0) return true;
    const watched = this.#byWd.get(wd);
    if (watched === undefined) return false;
    if ((mask & IN_IGNORED) !== 0) this.#forget(watched);
    if (nameStart === nameEnd) return true;
    const name = latin1(this.#buffer.subarray(nameStart, nameEnd));
    return watched.some(({ wanted }) => wanted.some(({ matches }) => matches(name)));
  }

  #add(
    directory: string,
    wanted: WantedName[],
    cannot: (directory: string, error: SyscallError) => void,
  ): boolean {
    try {
      this.#fd ??= inotifyInit();
      const path = cString(Buffer.from(directory === "" ? "/" : directory, "latin1"));
      const wd = inotifyAddWatch(this.#fd.number, path, this.#mask);
      const watched = { wd, wanted };
      this.#byDirectory.set(directory, watched);
      this.#byWd.set(wd, [...(this.#byWd.get(wd) ?? []), watched]);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      cannot(directory, error);
    }
    return true;
  }

  #remove(directory: string): void {
    const watched = this.#byDirectory.get(directory)!;
    this.#byDirectory.delete(directory);
    const others = this.#byWd.get(watched.wd)?.filter((one) => one !== watched) ?? [];
    if (others.length > 0) this.#byWd.set(watched.wd, others);
    if (others.length > 0 || !this.#byWd.delete(watched.wd)) return;
    try {
      inotifyRemoveWatch(this.#fd!.number, watched.wd);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error; // it went with its directory
    }
  }

  /** The kernel has taken the watch away. */
  #forget(watched: readonly Watched[]): void {
    for (const [directory, one] of this.#byDirectory)
      if (watched.includes(one)) this.#byDirectory.delete(directory);
    for (const { wd } of watched) this.#byWd.delete(wd);
  }
}
