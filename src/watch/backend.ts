/** The contract of a backend: one kernel interface that watches inodes and reports what happens to them. */
import type { Fd } from "../../ffi/fd.ts";
import type { BackendName } from "../rule/rule.ts";
import type { DirectoryName } from "./fanotify-ahead.ts";
import type { Mark, Node } from "./tree.ts";

/** What the kernel is asked to report about one inode: the union of what its places want. */
export interface Want {
  /** `eventBits`. */
  readonly events: number;
  /** Also what happens to the inodes in this directory. */
  readonly children: boolean;
  /** Also what happens to directories. */
  readonly directories: boolean;
  /** What gates have the kernel hold there, in its own bits; most backends do not look at it. */
  readonly permissions: number;
  /** A path of a rule: what cannot be watched as it should be is an error. */
  readonly isTop: boolean;
  /** The rules name the backend: no other takes its place at a limit. */
  readonly isStrict: boolean;
}

/** Where a backend delivers what it read. Names are given as a range of the read buffer. */
export interface EventSink {
  /** Something happened to a watched place itself. */
  self(node: Node, events: number, isDirectory: boolean, pid: number): void;

  /**
   * Something happened in a watched directory.
   *
   * @param isDirectory speaks of the entry
   * @param view 0, or `viewRenamed` or `viewAskers` of the matcher
   */
  child(
    node: Node,
    events: number,
    isDirectory: boolean,
    name: Uint8Array,
    start: number,
    end: number,
    pid: number,
    view: number,
  ): void;

  /** An entry was renamed, and both its places are watched. */
  renamed(rename: Rename): void;

  /** What comes until `endGroup` is one record seen from several places: one path makes one line. */
  beginGroup(): void;
  endGroup(): void;

  /** A directory was created in or deleted from `node`; or moved into or out of it, where that is two records. */
  directoryEntry(node: Node, entry: DirectoryEntry): void;

  /** A directory was moved: one record for both sides. */
  directoryMoved(move: DirectoryMove): void;

  /** A watched inode is no longer watched: the kernel took the mark away. */
  markGone(mark: Mark, reason: GoneReason): void;

  /** The kernel's queue was full: an unknown number of records is lost. */
  overflow(backend: Backend): void;
}

/** A record about a directory's name. */
export interface DirectoryEntry {
  readonly events: number;
  readonly name: Uint8Array;
  /** The same for both halves of a move, where that is two records: inotify's cookie. */
  readonly key: MoveKey | null;
  /** The directory's mark, if the records name it by handle and it has one. */
  readonly target: Mark | null;
  /** Its handle, if the records say it. */
  readonly identity: Uint8Array | null;
  /** A half of a move, whose other half may have another key: only a look can tell. */
  readonly isUnsure?: boolean;
}

/** A record about both names of a directory. */
export interface DirectoryMove {
  /** Null if that side is not watched. */
  readonly from: Side | null;
  readonly to: Side | null;
  readonly target: Mark | null;
  readonly identity: Uint8Array;
  /** Another queue may tell the other side: only a look can say where the directory is. */
  readonly isUnsure?: boolean;
}

/** "cannot": handles are not for us, or not for opening; "no anchor": another path near it may serve. */
export type NotOpened = "gone" | "cannot" | "no anchor";

/** One side of a rename: a directory, wherever it is watched, and the entry's name in it. */
export interface Side {
  readonly nodes: readonly Node[];
  readonly name: Uint8Array;
}

/** inotify's cookie, or the mark of the directory that moves. */
export type MoveKey = number | Mark;

/** "changed": its link count, or who may read it; it need not be gone at all. */
export type GoneReason = "deleted" | "unmounted" | "moved" | "changed";

/** One side of a rename. */
export interface Place {
  readonly node: Node;
  readonly name: Uint8Array;
}

export interface Rename {
  readonly from: Place;
  readonly to: Place;
  readonly isDirectory: boolean;
  readonly pid: number;
}

/** Finds the places of directories that a record names and that nobody has walked to. */
export interface DirectoryFinder {
  /** Make its places in all roots that are watched with their filesystem, as of the record in hand. */
  find(identity: Uint8Array): void;
  /** A read is delivered: nothing may be kept open. */
  rest(): void;
}

/** Filesystems that are watched as a whole: every directory on them reports, without a mark of its own. */
export interface WholeFilesystems {
  /** Asked for each directory that is not known yet. */
  finder: DirectoryFinder | null;

  /**
   * Ask for exactly this, of every directory on a filesystem.
   *
   * @param path of something on it, NUL-terminated
   * @param identity of the same
   * @param want null: of none any more
   * @throws {SyscallError} with `filesystemMarkCall`, if it cannot be watched so
   */
  watch(path: Uint8Array, identity: Uint8Array, want: Want | null): void;

  /** Whether something on the filesystem is at a path. */
  isOn(path: Uint8Array, identity: Uint8Array): boolean;

  /** Nothing on the filesystem is to be reached any more. */
  unmounted(identity: Uint8Array): void;

  /** The mark of a directory, made if there is none, without a mark in the kernel. */
  know(identity: Uint8Array): Mark;

  markOf(identity: Uint8Array): Mark | null;

  /** It was looked for, and has all its places. */
  found(identity: Uint8Array): void;
  isFound(identity: Uint8Array): boolean;

  /** Directories that were elsewhere may be below a root by now. */
  lookAgain(): void;

  /**
   * Read what is queued without delivering it yet: `nameUntilThen` knows of it then.
   *
   * @param waitMs for something to be queued, so long at most
   */
  readAhead(options?: { readonly waitMs: number }): void;

  /** The name that a directory gives up by a record which is read and not delivered. */
  nameUntilThen(identity: Uint8Array): DirectoryName | null;
}

export interface Backend {
  readonly name: BackendName;
  /** Readable when there are records. */
  readonly fd: number;
  /** Events that it can report at all. */
  readonly supported: number;
  /** Whether a record about a directory in a watched one says its name, or only the directory itself. */
  readonly namesSubdirectories: boolean;
  /** Null where only inodes can be watched. */
  readonly filesystems: WholeFilesystems | null;
  /** Inodes watched. */
  readonly marks: number;
  /** Bytes of records that wait in the kernel's queue. */
  readonly queuedBytes: number;
  /** Of all records, those that wait included: whatever has happened until now has one up to there. */
  readonly end: number;
  /** Of the records that are delivered: that in hand is the last of them. */
  readonly position: number;
  /**
   * Whatever happened until then has been delivered.
   *
   * @param inHand a record is being delivered, which counts as not delivered yet
   */
  passed(inHand: boolean): number;
  /** Records were read ahead: there is something to deliver, whatever poll(2) says. */
  readonly hasAhead: boolean;
  /**
   * Watch an inode, or widen what is asked of one that is watched already.
   *
   * @param path NUL-terminated
   * @throws {SyscallError}
   */
  add(path: Uint8Array, isDirectory: boolean, want: Want): Mark;

  /** The handle by which records name what is at a path, null where they do not. @throws {SyscallError} */
  identityOf(path: Uint8Array): Uint8Array | null;

  /** Whether it is the directory of a mark that is at a path. @throws {SyscallError} about the path */
  recognizes(mark: Mark, path: Uint8Array): boolean;

  /**
   * Open a directory by its handle, wherever it is.
   *
   * @param near path of something on the same filesystem, NUL-terminated
   */
  openByIdentity(near: Uint8Array, identity: Uint8Array): Fd | NotOpened;

  /** The mark of what is at a path, where records say handles. @throws {SyscallError} about the path */
  markAt(path: Uint8Array): Mark | null;

  /** Whether a record behind the one in hand may tell of another move of a directory. */
  isMovedAhead(identity: Uint8Array): boolean;

  /** Read what is queued without delivering it yet: `isLeftAhead` knows of it then. */
  readAhead(): void;

  /** Whether a record that is not delivered yet says that a directory has given up this name. */
  isLeftAhead(directory: Mark, name: Uint8Array): boolean;

  /** Ask for exactly this from now on. @throws {SyscallError} */
  change(mark: Mark, path: Uint8Array, want: Want): void;

  /** Stop watching; what is queued already may still come and is dropped. */
  remove(mark: Mark, path: Uint8Array): void;

  /** It is gone, and the kernel's mark with it. */
  forget(mark: Mark): void;

  /** Read once and deliver. @returns bytes read, 0 if there was nothing */
  read(sink: EventSink): number;

  close(): void;
}
