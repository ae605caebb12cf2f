/** The marks of one fanotify group: on which inodes, what is asked of each, and which of them records name. */
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { FAN_EVENT_ON_CHILD, FAN_ONDIR, FAN_RENAME } from "../../ffi/fanotify/abi.ts";
import {
  fanotifyMarkAdd,
  fanotifyMarkRemove,
  fileIdentity,
  identityInParent,
  mountOfIdentity,
} from "../../ffi/fanotify/calls.ts";
import { fileStatus } from "../../ffi/files.ts";
import { entryEvents, eventBits } from "../event.ts";
import type { Want } from "./backend.ts";
import type { FanotifyMark, FilesystemMarks } from "./filesystem-marks.ts";
import { type HandleOpener, isAt } from "./handle-opener.ts";
import { HandleTable, wordsOf } from "./handle-table.ts";
import { type Mark, noNodes, pathForCall } from "./tree.ts";

/** Stands for the call in the error that says that a filesystem is a copy. */
const copyCall = "name_to_handle_at";

/** Our bits that fanotify has under the same value; `rename` has another one, `unmount` is not there. */
export const sharedBits = 0x1fff;

/** What groups know whose records may speak of each other's directories. */
export class KnownMarks {
  /** By what records say of them. */
  readonly byIdentity = new HandleTable<FanotifyMark>();
  /** There are groups for other subvolumes of the same filesystem. */
  hasSubvolumes = false;
}

/** Whether it is a copy of another filesystem, whose marks must not be known where it is served. */
export function isCopyRefused({ errno, syscall }: SyscallError): boolean {
  return errno === Errno.EXDEV && syscall === copyCall;
}

export interface GroupMarksOptions {
  readonly fd: () => number;
  readonly known: KnownMarks;
  readonly handles: HandleOpener;
  readonly filesystems: FilesystemMarks;
}

export class GroupMarks {
  readonly #options: GroupMarksOptions;
  readonly #markByIdentity: HandleTable<FanotifyMark>;
  #count = 0;
  #files = 0;

  constructor(options: GroupMarksOptions) {
    this.#options = options;
    this.#markByIdentity = options.known.byIdentity;
  }

  get count(): number {
    return this.#count;
  }

  /** Some are on inodes that are no directories: only with them a target has to be looked up. */
  get hasFiles(): boolean {
    return this.#files > 0;
  }

  /** A want without events only makes the inode known, so that records about it find their place. */
  add(path: Uint8Array, isDirectory: boolean, want: Want): Mark {
    const identity = fileIdentity(path);
    const mount = mountOfIdentity();
    const known = this.find(identity);
    if (known !== null && known.mount !== mount) refuseCopy(known, path);
    const mask = kernelMask(want, isDirectory);
    const missing = known === null ? mask : (mask & ~known.mask) >>> 0;
    if (missing !== 0) fanotifyMarkAdd(this.#options.fd(), path, missing);
    if (known !== null) {
      if (known.mount < 0) {
        this.#count++;
        known.mount = mount;
      }
      if (isDirectory && this.#options.known.hasSubvolumes) this.#learnAlias(known, path);
      known.mask = (known.mask | missing) >>> 0;
      return known;
    }
    const mark: FanotifyMark = {
      ...{ identity, mount, alias: null, isDirectory, mask },
      ...{ nodes: noNodes, names: null, foundIn: 0 },
    };
    this.#markByIdentity.set(identity, mark);
    this.#count++;
    if (!isDirectory) this.#files++;
    else if (this.#options.known.hasSubvolumes) this.#learnAlias(mark, path);
    return mark;
  }

  change(mark: Mark, path: Uint8Array, want: Want): void {
    const mask = kernelMask(want, mark.isDirectory);
    const missing = (mask & ~mark.mask) >>> 0;
    const surplus = (mark.mask & ~mask) >>> 0;
    if ((missing | surplus) !== 0 && !isAt(path, mark as FanotifyMark)) return;
    if (missing !== 0) fanotifyMarkAdd(this.#options.fd(), path, missing);
    if (surplus !== 0) fanotifyMarkRemove(this.#options.fd(), path, surplus);
    mark.mask = mask;
  }

  remove(mark: Mark, path: Uint8Array): void {
    const { identity } = mark as FanotifyMark;
    if (this.find(identity) !== mark) return;
    this.#drop(mark as FanotifyMark);
    if (mark.mask === 0) return;
    try {
      using held = this.#options.handles.hold(mark as FanotifyMark, path);
      if (held !== null) fanotifyMarkRemove(this.#options.fd(), held.path, mark.mask);
    } catch (error) {
      // The inode went at this moment: its records find no mark here.
      if (!(error instanceof SyscallError)) throw error;
    }
  }

  forget(mark: Mark): void {
    const { identity } = mark as FanotifyMark;
    if (this.find(identity) !== mark) return;
    this.#drop(mark as FanotifyMark);
    // A directory that is gone may still be open, or a file that was in it.
    if (this.#options.filesystems.has(identity)) this.#options.filesystems.found(identity);
  }

  /** The inode is gone. @returns whether its mark was still known */
  lose(mark: FanotifyMark): boolean {
    if (this.find(mark.identity) !== mark) return false;
    this.#drop(mark);
    return true;
  }

  #drop(mark: FanotifyMark): void {
    this.#markByIdentity.delete(mark.identity);
    if (mark.alias !== null) this.#markByIdentity.delete(mark.alias);
    if (mark.mount >= 0) this.#count--;
    if (!mark.isDirectory) this.#files--;
  }

  /** A subvolume has a name in the records of the directory that it is in as well. */
  #learnAlias(mark: FanotifyMark, path: Uint8Array): void {
    const alias = identityInParent(path, mark.identity);
    if (mark.alias !== null) this.#markByIdentity.delete(mark.alias);
    mark.alias = alias;
    if (alias !== null) this.#markByIdentity.set(alias, mark);
  }

  find(identity: Uint8Array): FanotifyMark | null {
    return this.#markByIdentity.get(wordsOf(identity), 0, identity.length);
  }
}

/**
 * A copy of a filesystem has its id and its handles: records do not tell them apart. On another mount of
 * one filesystem it is the same inode.
 *
 * @throws {SyscallError} EXDEV: a group of its own can serve the copy
 */
function refuseCopy({ nodes }: FanotifyMark, path: Uint8Array): void {
  const [node] = nodes;
  if (node === undefined || isSameDevice(path, pathForCall(node))) return;
  throw new SyscallError(copyCall, Errno.EXDEV);
}

/** What is not there any more is not another filesystem. */
function isSameDevice(path: Uint8Array, known: Uint8Array): boolean {
  const deviceOf = (at: Uint8Array): string => fileStatus(at).inode.replace(/:\d+$/, "");
  try {
    return deviceOf(path) === deviceOf(known);
  } catch (error) {
    if (error instanceof SyscallError) return true;
    throw error;
  }
}

/**
 * FAN_ONDIR, FAN_EVENT_ON_CHILD and the events of entries are refused on what is no directory: ENOTDIR,
 * with FAN_REPORT_TARGET_FID (fanotify_mark(2)).
 */
export function kernelMask(want: Want, isDirectory: boolean): number {
  const shared = want.events & sharedBits;
  if (want.events === 0) return 0;
  if (!isDirectory) return (shared & ~entryEvents) >>> 0;
  const rename = (want.events & eventBits.rename) !== 0 ? FAN_RENAME : 0;
  const children = want.children ? FAN_EVENT_ON_CHILD : 0;
  const directories = want.directories ? FAN_ONDIR : 0;
  return (shared | rename | children | directories) >>> 0;
}
