/** Finds the directories below watched ones, a slice at a time. */
import { SyscallError } from "../../ffi/errno.ts";
import { DT_DIR, DT_UNKNOWN, type Entry } from "../../ffi/files.ts";
import type { OpenDirectory } from "./open-directory.ts";
import type { Comparison } from "./comparison.ts";
import { isInTree, type Node } from "./tree.ts";

/** A directory that is being walked. */
export interface Visit {
  readonly node: Node;
  /** What is in the directory came into being, or into the tree, with it. */
  readonly isNew: boolean;
  /** The tree is compared with what is there; null if only what is new is looked for. */
  readonly comparison: Comparison | null;
}

/** A directory that is held open, and all that is in it. */
export interface Listing {
  readonly directory: OpenDirectory;
  readonly entries: readonly Entry[];
}

/** What the walk asks of the tree. */
export interface WalkHands {
  /** The directory of a node; null if it is gone or closed to us. */
  open(node: Node): OpenDirectory | "elsewhere" | null;
  /** All that is in a directory. */
  listed(visit: Visit, listing: Listing): void;
  /** Make a place for a sub-directory. @returns what to walk next, null if that is nothing */
  found(visit: Visit, directory: OpenDirectory, name: Uint8Array): Step | null;
  /** The directory could not be read. */
  failed(visit: Visit, error: SyscallError): void;
}

/** A visit to a directory that is open already. */
export interface Step {
  readonly visit: Visit;
  readonly directory: OpenDirectory;
}

interface Frame {
  readonly visit: Visit;
  /** Null until it is opened, and again while it is far above. */
  directory: OpenDirectory | null;
  /** Null until it is listed. */
  entries: readonly Entry[] | null;
  next: number;
}

/** Directories kept open: those above are opened again when the walk comes back to them. */
const openMax = 32;

export class Walk {
  readonly #frames: Frame[] = [];
  readonly #hands: WalkHands;
  /** Directories listed so far. */
  #listed = 0;
  /** Not found where the tree has them: a record that is not read yet says where they are, or that they are gone. */
  readonly #lost: Frame[] = [];

  constructor(hands: WalkHands) {
    this.#hands = hands;
  }

  get isOver(): boolean {
    return this.#frames.length === 0 && this.#lost.length === 0;
  }

  /** Nothing is left but directories that are not where the tree has them. */
  get isStuck(): boolean {
    return this.#frames.length === 0 && this.#lost.length > 0;
  }

  /** Whether it may still come upon something, other than in directories that are lost themselves. */
  mayFind(isLost: (node: Node) => boolean): boolean {
    return this.#frames.length > 0 || this.#lost.some(({ visit }) => !isLost(visit.node));
  }

  /**
   * Walk this next, before all that is still to be walked. A directory that is open is listed at once: it
   * may be elsewhere when its turn comes.
   */
  add(visit: Visit, directory: OpenDirectory | null = null): void {
    const tooMany = this.#frames.at(-openMax);
    if (tooMany !== undefined) close(tooMany);
    const entries = directory === null ? null : this.#list(visit, directory);
    this.#frames.push({ visit, directory, entries, next: 0 });
  }

  /** Go on for a while. @param directories are listed at most */
  run(directories: number): void {
    this.#frames.push(...this.#lost.splice(0));
    for (const end = this.#listed + directories; this.#listed < end;) {
      const frame = this.#frames.at(-1);
      if (frame === undefined) return;
      const next = this.#step(frame);
      if (next === "lost") this.#lost.push(this.#frames.pop()!);
      else if (next === "done") this.#pop(frame);
    }
    // Until the next slice nothing is kept from being unmounted.
    for (const frame of this.#frames.slice(-openMax)) close(frame);
  }

  /** No record says where they are. @returns what was not walked to its end */
  giveUpLost(): Node[] {
    const given = this.#lost.splice(0).filter(({ visit }) => isInTree(visit.node));
    for (const { visit } of given) {
      visit.comparison?.seeBelow(visit.node);
      visit.comparison?.leave(visit.node);
    }
    return given.map(({ visit }) => visit.node);
  }

  /** The next entry. @returns "lost" if the directory is not to be found for now */
  #step(frame: Frame): "more" | "done" | "lost" {
    const { visit } = frame;
    if (!isInTree(visit.node)) return "done";
    if (frame.directory === null) {
      const found = this.#hands.open(visit.node);
      if (found === "elsewhere") return "lost";
      frame.directory = found;
    }
    const { directory } = frame;
    if (directory === null) {
      visit.comparison?.seeBelow(visit.node); // if it is gone, a record says so
      return "done";
    }
    frame.entries ??= this.#list(visit, directory);
    const entry = frame.entries[frame.next++];
    if (entry === undefined) return "done";
    if (entry.type !== DT_DIR && entry.type !== DT_UNKNOWN) return "more";
    const step = this.#hands.found(visit, directory, entry.name);
    if (step !== null) this.add(step.visit, step.directory);
    return "more";
  }

  #list(visit: Visit, directory: OpenDirectory): readonly Entry[] {
    this.#listed++;
    const entries: Entry[] = [];
    const listsAll = visit.isNew || visit.comparison !== null;
    try {
      directory.addTo(entries, listsAll ? undefined : "directories");
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#hands.failed(visit, error);
      return [];
    }
    this.#hands.listed(visit, { directory, entries });
    return entries;
  }

  #pop(frame: Frame): void {
    close(frame);
    this.#frames.pop();
    frame.visit.comparison?.leave(frame.visit.node);
  }
}

function close(frame: Frame): void {
  frame.directory?.[Symbol.dispose]();
  frame.directory = null;
}
