/**
 * Where the directories of the tree are: they move, leave, are on their way, and are given up.
 *
 * Looks are ahead of the records that are still queued. So what a look has seen, or has not found any
 * more, is kept until the records have come as far.
 */
import { bytesEqual } from "../../ffi/bytes.ts";
import type { Backend } from "./backend.ts";
import type { Doubt } from "./doubt.ts";
import { Moves, type Tell } from "./moves.ts";
import type { PlaceMarks } from "./place-marks.ts";
import { childrenOf, isInTree, type Node, type Sighting } from "./tree.ts";
import { isLeftOut } from "./want.ts";

/** A directory that a look has not found, or that a record says is deleted. */
interface Gone {
  readonly node: Node;
  /** `Backend.end` by then. */
  readonly at: number;
  readonly isDeleted: boolean;
  /** `Node.since` by then. */
  readonly since: number;
}

export interface PlacesOptions {
  readonly marks: PlaceMarks;
  readonly doubt: Doubt;
  /** Directories are being looked for: what has left may be found. */
  readonly isWalking: () => boolean;
  /** A place was given up. */
  readonly onDropped: (node: Node) => void;
}

export class Places {
  readonly moves = new Moves();
  readonly #backend: Backend;
  readonly #marks: PlaceMarks;
  readonly #doubt: Doubt;
  readonly #isWalking: () => boolean;
  readonly #onDropped: (node: Node) => void;
  #untold = 0;
  /** Seen elsewhere than they are in the tree, which the records will tell, or have told in part. */
  readonly #sighted = new Set<Node>();
  /** Left, and not found until the records come to `at`: it went to where nothing is watched. */
  #away: { readonly node: Node; readonly at: number }[] = [];
  /** Gone from the disk: each is given up when the records come to `at`, the lowest first. */
  readonly #gone: Gone[] = [];

  constructor(backend: Backend, { marks, doubt, isWalking, onDropped }: PlacesOptions) {
    this.#backend = backend;
    this.#marks = marks;
    this.#doubt = doubt;
    this.#isWalking = isWalking;
    this.#onDropped = onDropped;
  }

  /** Something is known of a moment that the records have not reached yet. */
  get isAhead(): boolean {
    return this.#sighted.size > 0 || this.#gone.length > 0 || this.#away.length > 0;
  }

  /** Whether it, or a directory that it is in, has no place now, or not the one that it has in the tree. */
  isUnderway(node: Node): boolean {
    for (let at: Node | null = node; at !== null; at = at.parent)
      if (at.seen !== null || this.moves.isAway(at)) return true;
    return false;
  }

  /** A look has found a directory that is known. */
  sight(node: Node, { parent, name, at }: Sighting): void {
    const isHere = node.parent === parent && bytesEqual(node.name, name);
    const isThere = isHere && !this.moves.isAway(node);
    node.seen = isThere ? null : { parent, name, at };
    if (!isThere) this.#sighted.add(node);
  }

  /** A directory is at another place of the same root. */
  move(node: Node, parent: Node, name: Uint8Array, { isOutlived = false } = {}): void {
    if (parent === node) {
      this.#doubt.raise(); // names were mistaken: a look at everything finds it
      return;
    }
    this.#breakCycle(node, parent);
    const wasHidden = node.isHidden;
    node.since = this.#backend.position;
    node.moveTo(parent, name, { isOutlived });
    if (isLeftOut(parent, name)) return this.drop(node);
    if (node.isHidden !== wasHidden) this.#marks.refreshBelow(node);
    for (const tell of this.moves.arrive(node)) tell();
  }

  /**
   * What is said to come below itself: something between has left before, and no record told. A look at
   * everything finds where it is.
   */
  #breakCycle(node: Node, parent: Node): void {
    for (let at = parent; at.parent !== null; at = at.parent) {
      if (at.parent !== node) continue;
      this.#doubt.raise();
      this.leave(at);
      at.parent = node.root.node;
      return;
    }
  }

  /**
   * The directory is no longer where it was, but where nothing was watched at that moment: outside, or in
   * a directory that is found by a look or by a record which is queued already. What happens in it waits.
   */
  leave(node: Node): void {
    const at = this.#backend.end;
    const mayBeFound = at > this.#backend.position || node.seen !== null;
    if (!mayBeFound && !this.#isWalking() && !this.#doubt.exists) return this.drop(node);
    node.detach();
    this.moves.leave(node, node.mark);
    this.#away.push({ node, at });
  }

  /**
   * A directory is gone, and what happened in it before may be queued still: a look has not found it, or
   * the kernel has added its deletion to an earlier record.
   */
  end(node: Node, { isDeleted = false } = {}): void {
    const at = this.#backend.end;
    if (at > this.#backend.position) this.#gone.push({ node, at, isDeleted, since: node.since });
    else this.drop(node, { isDeleted });
  }

  /**
   * The records have come as far as the looks: what these have seen is true by now.
   *
   * @param inHand a record is being delivered, which may be from before a look that ends with it
   */
  advance({ inHand }: { readonly inHand: boolean }): void {
    const position = this.#backend.passed(inHand);
    for (const node of this.#sighted) {
      const { seen } = node;
      if (seen !== null && seen.at > position) continue;
      this.#sighted.delete(node);
      if (seen !== null) this.#settleAt(node, seen.parent, seen.name);
    }
    if (this.#away.length > 0 && !this.#isWalking() && !this.#doubt.exists)
      this.#dropAway(position);
    if (this.#gone.length > 0) this.#dropGone(position);
  }

  #settleAt(node: Node, parent: Node, name: Uint8Array): void {
    node.seen = null;
    if (!isInTree(node) || !isInTree(parent)) return;
    if (node.parent !== parent || !bytesEqual(node.name, name) || this.moves.isAway(node))
      this.move(node, parent, name);
  }

  /** One that a look did not find may have been moved to where that had looked already, as records say by now. */
  #isStillGone({ node, isDeleted, since }: Gone): boolean {
    if (!isInTree(node)) return false;
    return isDeleted || (node.since === since && node.seen === null && !this.moves.isAway(node));
  }

  #dropGone(position: number): void {
    const later = this.#gone.findIndex(({ at }) => at > position);
    if (later === 0) return;
    const due = this.#gone.splice(0, later < 0 ? this.#gone.length : later);
    for (const gone of due) if (this.#isStillGone(gone)) this.drop(gone.node, gone);
  }

  #dropAway(position: number): void {
    for (const { node, at } of this.#away)
      if (at <= position && node.seen === null && this.moves.isAway(node)) this.drop(node);
    this.#away = this.#away.filter(({ node }) => this.moves.isAway(node));
  }

  /** No record is queued: what is away, and was not found, went to where nothing is watched. */
  dropLost(): void {
    for (const node of this.moves.nodes) if (node.seen === null) this.drop(node);
  }

  /** Keep a record of what happened in a directory that is on its way. @returns whether it is */
  holdBack(node: Node, tell: () => Tell): boolean {
    if (!isInTree(node) && node.standing !== "deleted") return true; // since a moment ago: this is from elsewhere
    if (this.moves.isEmpty) return false;
    const answer = this.moves.hold(node, tell);
    if (typeof answer !== "object") return answer === "held";
    this.drop(answer.nowhere);
    this.#doubt.raise(); // if it went to where something is watched, a look at everything finds it
    return true;
  }

  /** Give up a place and all below it; a mark goes with its last place. */
  drop(node: Node, { isDeleted = false } = {}): void {
    for (const child of childrenOf(node)) this.drop(child, { isDeleted });
    const isGone = this.#marks.release(node, { isDeleted });
    node.detach();
    node.standing = isDeleted ? "deleted" : "latest";
    node.seen = null;
    this.#sighted.delete(node);
    const held = this.moves.forget(node);
    if (isGone) this.#untold += held;
    this.#onDropped(node);
  }

  get hasUntold(): boolean {
    return this.#untold > 0;
  }

  /** What was held back about directories that were gone before it was known where they had gone. */
  takeUntold(): number {
    const count = this.#untold;
    this.#untold = 0;
    return count;
  }
}
