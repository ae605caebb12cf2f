/** The tree against the disk: after records were lost, what is known and is not found again is gone. */
import { childrenOf, type Node } from "./tree.ts";

export class Comparison {
  readonly #top: Node;
  readonly #start: number;
  readonly #seen = new Set<Node>();
  isOver = false;

  /** @param start `Backend.position`: what is moved by a later record need not be found */
  constructor(top: Node, start: number) {
    this.#top = top;
    this.#start = start;
    this.#seen.add(top);
  }

  /** @returns false if it was seen before */
  see(node: Node): boolean {
    if (this.#seen.has(node)) return false;
    this.#seen.add(node);
    return true;
  }

  /** What is below could not be looked at: it is taken for unchanged. */
  seeBelow(node: Node): void {
    for (const child of childrenOf(node)) {
      this.see(child);
      this.seeBelow(child);
    }
  }

  /** All that is in a directory has been seen. */
  leave(node: Node): void {
    if (node === this.#top) this.isOver = true;
  }

  /** Directories that were not found, each with all that is below it. */
  unseen(): Node[] {
    const gone: Node[] = [];
    const collect = (node: Node): void => {
      const isGone = !this.#seen.has(node) && node.since <= this.#start && node.seen === null;
      if (isGone) gone.push(node);
      else for (const child of childrenOf(node)) collect(child);
    };
    collect(this.#top);
    return gone;
  }
}
