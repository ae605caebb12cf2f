/** What happened in a new directory before it was watched: found by a look, told as synthetic events. */
import { bytesEqual, latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { DT_DIR, DT_REG, DT_UNKNOWN, type Entry, S_IFDIR, S_IFREG } from "../../ffi/files.ts";
import { isBeingWritten } from "../../ffi/lease.ts";
import { eventBits, type SyntheticReason } from "../event.ts";
import type { Interests } from "../rule/matcher.ts";
import type { Place } from "./backend.ts";
import { statusOrNull } from "./own-outputs.ts";
import { OpenDirectory } from "./open-directory.ts";
import { type Node, noNodes, pathForCall } from "./tree.ts";
import type { WatchedFile } from "./watched-file.ts";
import type { Listing } from "./walk.ts";
import type { WatchTable } from "./watch-table.ts";

/** An entry that the look found, until it is clear whether the kernel told of it too. */
export interface Found {
  /** Empty for a file that is watched itself. */
  readonly name: Uint8Array;
  readonly isDirectory: boolean;
  /** What its coming is told as; 0 if it was there before. */
  arrives: number;
  /** What its being complete is told as; 0 if it was not: somebody had it open for writing. */
  readonly completes: number;
  wasToldCreated: boolean;
  wasToldClosed: boolean;
}

const noName = new Uint8Array(0);
const nothingTold = { wasToldCreated: false, wasToldClosed: false };

/** What a file may have gone through before its path was watched. */
const { create, modify, close_write, moved_to } = eventBits;

/** A look at one directory, or at one file, which is its own only entry and has no name. */
interface Look {
  readonly node: Node;
  /** Who wants to hear of what is found. */
  readonly interests: Interests;
  readonly table: WatchTable;
  readonly found: Map<string, Found>;
  readonly reason: SyntheticReason;
  /** When `Backend.position` is there, every record from before the look has been seen. */
  readonly until: number;
}

/**
 * An event for `interests`, which need not be all that there are at the place.
 *
 * @param heardAt other watched paths that it was told at, or would have been: who hears of it there has
 */
export type SyntheticEvent = (
  place: Place,
  events: number,
  isDirectory: boolean,
  reason: SyntheticReason,
  interests: Interests,
  heardAt: readonly Node[],
) => void;

/**
 * Closes the gap between mkdir and the watch on the new directory (inotify(7), "Limitations").
 *
 * The directory is watched first and listed then. What happened in between is told by the kernel as
 * well, so an entry is only told here once all records that were queued at the time of the look have
 * been read, and none of them told it.
 */
export class CatchUp {
  /** Almost always one for a directory. */
  readonly #looks = new Map<Node, Look[]>();
  /** At files that have been replaced since: each was there, and is told. */
  #ended: Look[] = [];
  readonly #tell: SyntheticEvent;

  constructor(tell: SyntheticEvent) {
    this.#tell = tell;
  }

  /** Directories whose records have to be shown to `entrySeen`. */
  get openLooks(): number {
    return this.#looks.size;
  }

  /**
   * Look into a directory that is watched since a moment ago.
   *
   * @param interests that are new there; absent: all of its interests are
   */
  look(
    node: Node,
    table: WatchTable,
    {
      listing,
      interests = node.interests,
    }: { listing: Listing | null; interests?: Interests | null },
  ): void {
    if (interests === null) return;
    using opened = listing === null ? openOrNull(node) : null;
    const directory = listing?.directory ?? opened;
    if (directory === null) return; // gone or closed to us
    const found = new Map<string, Found>();
    const wantsClosed = (interests.events & eventBits.close_write) !== 0;
    for (const { name, type } of listing?.entries ?? entriesOf(directory))
      found.set(latin1(name), this.#find(directory.entry(name), name, type, wantsClosed));
    const until = table.backend.end;
    const reason = node.parent === null ? "appeared" : "new-directory";
    if (found.size > 0) this.#add({ node, interests, table, found, reason, until });
  }

  /** What somebody else has looked for and found, a moment ago. */
  add(
    node: Node,
    table: WatchTable,
    what: {
      readonly found: readonly Found[];
      readonly interests: Interests;
      readonly reason: SyntheticReason;
    },
  ): void {
    if (what.found.length === 0) return;
    const found = new Map(what.found.map((one) => [latin1(one.name), one]));
    this.#add({ ...what, node, table, found, until: table.backend.end });
  }

  /** Whether something that was found in this table is not told yet. */
  isLookingIn(table: WatchTable): boolean {
    for (const looks of this.#looks.values())
      if (looks.some((look) => look.table === table)) return true;
    return false;
  }

  /** The kernel told of an entry: it need not be told again. */
  entrySeen(node: Node, events: number, bytes: Uint8Array, start: number, end: number): void {
    const looks = this.#looks.get(node);
    if (looks === undefined) return;
    const key = latin1(bytes.subarray(start, end));
    for (const look of looks) this.#entrySeen(look, events, key);
  }

  #entrySeen(look: Look, events: number, key: string): void {
    const entry = look.found.get(key);
    if (entry === undefined) return;
    const gone = eventBits.delete | eventBits.moved_from;
    if ((events & (create | moved_to)) !== 0) entry.wasToldCreated = true;
    if ((events & (close_write | moved_to)) !== 0) entry.wasToldClosed = true;
    if ((events & gone) !== 0 && (events & ~gone) === 0) this.#tellOne(look, entry);
    if ((events & gone) !== 0) look.found.delete(key);
  }

  /**
   * The directory is not ours any more. What is in it may have come to be elsewhere: it is opened by what
   * it is, and not by where it was.
   */
  forget(node: Node): void {
    if (this.#looks.size === 0) return;
    const looks = this.#looks.get(node);
    if (looks === undefined) return;
    this.#looks.delete(node);
    if (!node.isDirectory) this.#ended.push(...looks);
  }

  /** Tell what the kernel did not, of each look whose records are all read. */
  tellDue(): void {
    if (this.#ended.length > 0) this.#tellEnded();
    if (this.#looks.size === 0) return;
    for (const look of [...this.#looks.values()].flat().filter(isDue)) {
      this.#remove(look); // first: another watched path is not to wait for it
      for (const entry of look.found.values()) this.#tellOne(look, entry);
    }
  }

  #remove(look: Look): void {
    const left = this.#looks.get(look.node)!.filter((one) => one !== look);
    if (left.length > 0) this.#looks.set(look.node, left);
    else this.#looks.delete(look.node);
  }

  #tellEnded(): void {
    const looks = this.#ended;
    this.#ended = [];
    for (const look of looks) for (const entry of look.found.values()) this.#tellOne(look, entry);
  }

  /** The same for a file that has come to be at a watched path. */
  lookAtFile(node: Node, table: WatchTable, { isBeingWritten }: { isBeingWritten: boolean }): void {
    const { interests } = node;
    if (interests === null) return;
    const completes = isBeingWritten ? 0 : close_write;
    const arrives = create | modify;
    const one = { name: noName, isDirectory: false, arrives, completes, ...nothingTold };
    this.add(node, table, { found: [one], interests, reason: "appeared" }); // its close may come in between
  }

  /** A file that was at a watched path for so short a time that a look came too late. */
  tellPassed({ passing }: WatchedFile): void {
    this.#tell(
      { node: passing, name: noName },
      create | modify | close_write,
      false,
      "appeared",
      passing.root.top,
      noNodes,
    );
  }

  #add(look: Look): void {
    this.#looks.set(look.node, [...(this.#looks.get(look.node) ?? []), look]);
  }

  #find(path: Uint8Array, name: Uint8Array, type: number, wantsClosed: boolean): Found {
    const status = type === DT_UNKNOWN ? statusOrNull(path, { followSymlink: false }) : null;
    const isDirectory = type === DT_DIR || status?.kind === S_IFDIR;
    const isFile = type === DT_REG || status?.kind === S_IFREG;
    const isComplete = isFile && wantsClosed && !isBeingWritten(path);
    const completes = isComplete ? close_write : 0;
    return { name, isDirectory, arrives: create, completes, ...nothingTold };
  }

  #tellOne(look: Look, entry: Found): void {
    const { name, isDirectory, arrives, completes } = entry;
    if (name.length === 0) return this.#tellFile(look, entry);
    const { node, interests, reason } = look;
    const untold = untoldOf(look, entry);
    const tell = (events: number): void =>
      this.#tell(
        { node, name },
        events,
        isDirectory,
        reason,
        interests,
        this.#heardAt(look, entry, events),
      );
    if ((untold & arrives) !== 0) {
      tell(arrives);
      look.table.told.note(node.id, arrives, name, 0, name.length);
    }
    if ((untold & completes) !== 0) tell(completes);
  }

  /**
   * If watched paths lie in each other, a directory is in the tree once below each of them, by one path.
   * What is in it was told there as well, by a record or by the look, unless that look still has to tell.
   */
  #heardAt({ node }: Look, { name }: Found, events: number): readonly Node[] {
    const { nodes } = node.mark;
    if (nodes.length < 2) return noNodes;
    const key = latin1(name);
    const tellsLater = (look: Look): boolean => {
      const same = look.found.get(key);
      return same !== undefined && (untoldOf(look, same) & events) !== 0;
    };
    return nodes.filter(
      (other) =>
        other !== node &&
        bytesEqual(other.path, node.path) &&
        !(this.#looks.get(other) ?? []).some(tellsLater),
    );
  }

  #tellFile({ node, interests, reason }: Look, found: Found): void {
    const { name, arrives, completes, wasToldClosed } = found;
    const events = wasToldClosed ? arrives : arrives | completes;
    if (events !== 0) this.#tell({ node, name }, events, false, reason, interests, noNodes);
  }
}

function isDue({ node, table, until }: Look): boolean {
  return table.backend.position >= until && !table.isUnderway(node);
}

/**
 * What no record told of an entry. A file that came meanwhile by a record is closed by one, or is another
 * name of a file. After lost records nothing is sure to follow.
 */
function untoldOf({ reason }: Look, entry: Found): number {
  const { arrives, completes, wasToldCreated, wasToldClosed } = entry;
  const isClosed = wasToldClosed || (wasToldCreated && reason !== "overflow");
  return (wasToldCreated ? 0 : arrives) | (isClosed ? 0 : completes);
}

function openOrNull(node: Node): OpenDirectory | null {
  try {
    return OpenDirectory.follow(pathForCall(node));
  } catch (error) {
    if (error instanceof SyscallError) return null;
    throw error;
  }
}

function entriesOf(directory: OpenDirectory): Entry[] {
  const entries: Entry[] = [];
  try {
    directory.addTo(entries);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error; // as far as it could be read
  }
  return entries;
}
