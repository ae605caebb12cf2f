/** Filesystems of which every directory reports: one fanotify mark for each. */
import { latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import {
  fileIdentity,
  filesystemMarkAdd,
  filesystemMarkRemove,
  filesystemOf,
  isSameFilesystem,
} from "../../ffi/fanotify/calls.ts";
import type { DirectoryFinder, Want, WholeFilesystems } from "./backend.ts";
import type { DirectoryName, FanotifyAhead } from "./fanotify-ahead.ts";
import type { HandleTable } from "./handle-table.ts";
import { wordsOf } from "./handle-table.ts";
import { type Mark, noNodes } from "./tree.ts";

/** A directory that is known by its handle, with or without a mark of its own in the kernel. */
export interface FanotifyMark extends Mark {
  readonly identity: Uint8Array;
  /** Where it was found first, as name_to_handle_at(2) says it; -1 if it was never looked up by a path. */
  mount: number;
  /** Of the root of a subvolume: as the records of the directory that it is in name it. */
  alias: Uint8Array | null;
  /** `FilesystemMarks.generation` in which it was looked for in all roots; 0 before. */
  foundIn: number;
}

/** Directories elsewhere on the filesystem that are remembered, some 500 bytes each: to find one takes 10 us. */
export const elsewhereMax = 16_384;

export interface FilesystemMarksOptions {
  readonly fd: () => number;
  readonly marks: HandleTable<FanotifyMark>;
  readonly ahead: FanotifyAhead;
  readonly kernelMask: (want: Want) => number;
  /** Number of the record in hand; all before are delivered. */
  readonly recordInHand: () => number;
  /** Read what is queued by now, and know which directories leave their names by it. */
  readonly readAhead: (waitMs: number) => void;
}

export class FilesystemMarks implements WholeFilesystems {
  finder: DirectoryFinder | null = null;
  /** Raised when a directory that was elsewhere may be below a root by now. */
  generation = 1;
  readonly #options: FilesystemMarksOptions;
  /** What the kernel was asked, by fsid. */
  readonly #marks = new Map<string, number>();
  /** Those that were not found below a root, the oldest first; some may have been since. */
  readonly #elsewhere = new Set<FanotifyMark>();

  constructor(options: FilesystemMarksOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#marks.size === 0;
  }

  watch(path: Uint8Array, identity: Uint8Array, want: Want | null): void {
    const mask = want === null ? 0 : this.#options.kernelMask(want);
    const key = latin1(filesystemOf(identity));
    const known = this.#marks.get(key) ?? 0;
    const surplus = (known & ~mask) >>> 0;
    const fd = this.#options.fd();
    // All of it: if it was unmounted meanwhile and is mounted again, the mark is gone.
    if (mask !== 0) filesystemMarkAdd(fd, path, mask);
    if (surplus !== 0) removeMark(fd, path, surplus);
    if (mask === 0) this.#marks.delete(key);
    else this.#marks.set(key, mask);
  }

  isOn(path: Uint8Array, identity: Uint8Array): boolean {
    try {
      return isSameFilesystem(fileIdentity(path), identity);
    } catch (error) {
      if (error instanceof SyscallError) return false;
      throw error;
    }
  }

  unmounted(identity: Uint8Array): void {
    this.#marks.delete(latin1(filesystemOf(identity)));
  }

  /** Whether records of this filesystem come from everywhere on it. */
  has(identity: Uint8Array): boolean {
    return !this.isEmpty && this.#marks.has(latin1(filesystemOf(identity)));
  }

  /** The directory that a record is about, in all its places. @param mark what is known of it */
  find(mark: FanotifyMark | null, identity: Uint8Array): FanotifyMark | null {
    if (this.finder === null || !this.has(identity)) return mark;
    this.finder.find(identity);
    return this.markOf(identity);
  }

  markOf(identity: Uint8Array): FanotifyMark | null {
    return this.#options.marks.get(wordsOf(identity), 0, identity.length);
  }

  isFound(identity: Uint8Array): boolean {
    return this.markOf(identity)?.foundIn === this.generation;
  }

  know(identity: Uint8Array): FanotifyMark {
    const known = this.markOf(identity);
    if (known !== null) return known;
    const place = { mount: -1, alias: null, names: null, foundIn: 0 };
    const mark: FanotifyMark = { identity, isDirectory: true, mask: 0, nodes: noNodes, ...place };
    this.#options.marks.set(identity, mark);
    return mark;
  }

  found(identity: Uint8Array): void {
    const mark = this.know(identity);
    mark.foundIn = this.generation;
    if (mark.nodes.length === 0 && mark.mask === 0) this.#remember(mark);
  }

  #remember(mark: FanotifyMark): void {
    this.#elsewhere.delete(mark); // so that it comes last
    this.#elsewhere.add(mark);
    if (this.#elsewhere.size <= elsewhereMax) return;
    const [oldest] = this.#elsewhere;
    this.#elsewhere.delete(oldest!);
    const isUnused = oldest!.nodes.length === 0 && oldest!.mask === 0 && !oldest!.names;
    if (isUnused && this.markOf(oldest!.identity) === oldest)
      this.#options.marks.delete(oldest.identity);
  }

  lookAgain(): void {
    this.generation++;
  }

  readAhead({ waitMs } = { waitMs: 0 }): void {
    this.#options.readAhead(waitMs);
  }

  nameUntilThen(identity: Uint8Array): DirectoryName | null {
    return this.#options.ahead.nameUntilThen(identity, this.#options.recordInHand());
  }
}

/** What comes too much finds no place. */
function removeMark(fd: number, path: Uint8Array, mask: number): void {
  try {
    filesystemMarkRemove(fd, path, mask);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error; // it was unmounted at this moment
  }
}
