/** Directories on their way: one half of their rename was read, the other is still queued. */
import type { MoveKey } from "./backend.ts";
import type { Node, Root } from "./tree.ts";

/** A directory that has left for good is told apart when the queue is empty; so much is kept until then. */
const recordsBetweenMax = 4096;

/** Delivers a record that was held back. */
export type Tell = () => void;

interface Held {
  readonly about: Node;
  readonly tell: Tell;
}

export class Moves {
  readonly #nodesByKey = new Map<MoveKey, Node[]>();
  /** What has happened in each of them since it left. */
  readonly #heldByNode = new Map<Node, Held[]>();

  get isEmpty(): boolean {
    return this.#heldByNode.size === 0;
  }

  /** A directory has left its place, maybe in one that is on its way. */
  leave(node: Node, key: MoveKey): void {
    this.#nodesByKey.set(key, [...(this.#nodesByKey.get(key) ?? []), node]);
    const held = this.#takeAbout(node);
    this.#heldByNode.set(node, held);
  }

  /** The directory whose other half this is, if it comes from the same root. */
  take(key: MoveKey, root: Root): Node | null {
    const node = this.#nodesByKey.get(key)?.find((one) => one.root === root) ?? null;
    if (node !== null) this.#remove(node, key);
    return node;
  }

  /**
   * Keep a record about something in a directory that is on its way, until it has arrived.
   *
   * @param tell makes what delivers the record: only if it is kept
   * @returns "nowhere" if the arrival will not come any more, with the directory that has gone
   */
  hold(node: Node, tell: () => Tell): "not away" | "held" | { readonly nowhere: Node } {
    for (let at: Node | null = node; at !== null; at = at.parent) {
      const held = this.#heldByNode.get(at);
      if (held === undefined) continue;
      return held.push({ about: node, tell: tell() }) > recordsBetweenMax
        ? { nowhere: at }
        : "held";
    }
    return "not away";
  }

  /** Whether it has left, and not arrived. */
  isAway(node: Node): boolean {
    return this.#heldByNode.has(node);
  }

  /** The same, by the rename of that key. */
  isAwayBy(node: Node, key: MoveKey): boolean {
    return this.#nodesByKey.get(key)?.includes(node) ?? false;
  }

  /** It has arrived, maybe from a directory that is on its way. @returns what was held back about it */
  arrive(node: Node): Tell[] {
    if (this.isEmpty) return [];
    const held = this.#takeAbout(node);
    this.forget(node);
    return held.map(({ tell }) => tell);
  }

  /** It is gone for good, and what was held back about it. @returns how many records that were */
  forget(node: Node): number {
    const held = this.#heldByNode.get(node);
    if (held === undefined) return 0;
    this.#heldByNode.delete(node);
    for (const [key, nodes] of this.#nodesByKey) if (nodes.includes(node)) this.#remove(node, key);
    return held.length;
  }

  /** All that are still on their way. */
  get nodes(): Node[] {
    return [...this.#heldByNode.keys()];
  }

  /** What is held back about a directory and all below it, the oldest first. */
  #takeAbout(node: Node): Held[] {
    const own = this.#heldByNode.get(node) ?? [];
    const others: Held[] = [];
    for (const [away, held] of this.#heldByNode) {
      if (away === node || held.length === 0) continue;
      const kept: Held[] = [];
      for (const one of held) (this.#isIn(node, one.about) ? others : kept).push(one);
      if (kept.length < held.length) this.#heldByNode.set(away, kept);
    }
    return [...others, ...own];
  }

  /** Whether `node` is `directory` or in it. What has left still has the parent that it had. */
  #isIn(directory: Node, node: Node): boolean {
    for (let at: Node | null = node; at !== null; at = at.parent) {
      if (at === directory) return true;
      if (this.isAway(at)) return false;
    }
    return false;
  }

  #remove(node: Node, key: MoveKey): void {
    const others = this.#nodesByKey.get(key)!.filter((one) => one !== node);
    if (others.length > 0) this.#nodesByKey.set(key, others);
    else this.#nodesByKey.delete(key);
  }
}
