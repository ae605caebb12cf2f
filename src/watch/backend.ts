/** The contract of a backend: one kernel interface that watches inodes and reports what happens to them. */
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

  /** A directory was created in, moved into, moved out of or deleted from `node`. */
  directoryEntry(node: Node, entry: DirectoryEntry): void;

  /** A watched inode is no longer watched: the kernel took the mark away. */
  markGone(mark: Mark, reason: GoneReason): void;

  /** The kernel's queue was full: an unknown number of records is lost. */
  overflow(backend: Backend): void;
}

/** A record about a directory's name. */
export interface DirectoryEntry {
  readonly events: number;
  readonly name: Uint8Array;
  /** The same for both halves of a move: inotify's cookie, or the mark of the directory that moves. */
  readonly key: MoveKey | null;
  /** The directory's mark, null if it has none; undefined if the backend's records do not say it. */
  readonly target: Mark | null | undefined;
  /** What `Backend.add` has to find at the path; null if the records do not say it. */
  readonly identity: Uint8Array | null;
  /** A half of a move, whose other half may have another key: only a look can tell. */
  readonly isUnsure?: boolean;
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
  /** Bytes of records read so far: with FIONREAD it tells when a moment's queue is used up. */
  readonly consumed: number;
  /** Bytes of records that wait in the kernel's queue. */
  readonly queuedBytes: number;
  /** `consumed` as it was when the record in hand had just been read. */
  readonly position: number;
  /**
   * Watch an inode, or widen what is asked of one that is watched already.
   *
   * @param path NUL-terminated
   * @param identity what a record named; null for whatever is there
   * @returns null if something else is at the path
   * @throws {SyscallError}
   */
  add(path: Uint8Array, isDirectory: boolean, want: Want, identity: Uint8Array | null): Mark | null;

  /** Ask for exactly this from now on. @throws {SyscallError} */
  change(mark: Mark, path: Uint8Array, want: Want): void;

  /** Stop watching; what is queued already may still come and is dropped. */
  remove(mark: Mark, path: Uint8Array): void;

  /** Read once and deliver. @returns bytes read, 0 if there was nothing */
  read(sink: EventSink): number;

  close(): void;
}
