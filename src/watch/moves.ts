/** Directories on their way: one half of their rename was read, the other is still queued. */
import type { MoveKey } from "./backend.ts";
import type { Node, Root } from "./tree.ts";

/** A directory that has left for good is told apart when the queue is empty; so much is kept until then. */
const recordsBetweenMax = 4096;

/** Delivers a record that was held back. */
export type Tell = () => void;

export class Moves {
  readonly #nodesByKey = new Map<MoveKey, Node[]>();
  /** What has happened in each of them since it left. */
  readonly #heldByNode = new Map<Node, Tell[]>();

  get isEmpty(): boolean {
    return this.#heldByNode.size === 0;
  }

  /** A directory has left its place. */
  leave(node: Node, key: MoveKey): void {
    this.#nodesByKey.set(key, [...(this.#nodesByKey.get(key) ?? []), node]);
    this.#heldByNode.set(node, []);
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
   * @returns "nowhere" if the arrival will not come any more, with the directory that has gone
   */
  hold(node: Node, tell: Tell): "not away" | "held" | { readonly nowhere: Node } {
    for (let at: Node | null = node; at !== null; at = at.parent) {
      const held = this.#heldByNode.get(at);
      if (held === undefined) continue;
      return held.push(tell) > recordsBetweenMax ? { nowhere: at } : "held";
    }
    return "not away";
  }

  /** Whether it has left, and not arrived. */
  isAway(node: Node): boolean {
    return this.#heldByNode.has(node);
  }

  /** It has arrived, or is gone for good. @returns what was held back */
  release(node: Node): Tell[] {
    const held = this.#heldByNode.get(node);
    if (held === undefined) return [];
    this.#heldByNode.delete(node);
    for (const [key, nodes] of this.#nodesByKey) if (nodes.includes(node)) this.#remove(node, key);
    return held;
  }

  /** All that are still on their way; none is afterwards. */
  takeAll(): Node[] {
    const nodes = [...this.#nodesByKey.values()].flat();
    this.#nodesByKey.clear();
    return nodes;
  }

  #remove(node: Node, key: MoveKey): void {
    const others = this.#nodesByKey.get(key)!.filter((one) => one !== node);
    if (others.length > 0) this.#nodesByKey.set(key, others);
    else this.#nodesByKey.delete(key);
  }
}
