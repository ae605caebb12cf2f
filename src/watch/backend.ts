/** The contract of a backend: one kernel interface that watches inodes and reports what happens to them. */
import type { Fd } from "../../ffi/fd.ts";
import type { BackendName } from "../rule/rule.ts";
import type { Mark, Node } from "./tree.ts";

/** What the kernel is asked to report about one inode: the union of what its places want. */
export interface Want {
  /** `eventBits`. */
  readonly events: number;
  /** Also what happens to the inodes in this directory. */
  readonly children: boolean;
  /** Also what happens to directories. */
  readonly directories: boolean;
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

export interface Backend {
  readonly name: BackendName;
  /** Readable when there are records. */
  readonly fd: number;
  /** Events that it can report at all. */
  readonly supported: number;
  /** Whether a record about a directory in a watched one says its name, or only the directory itself. */
  readonly namesSubdirectories: boolean;
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
