/** Files that had the path of a root until another one got it: their last records are still awaited. */
import type { Backend } from "./backend.ts";
import type { Places } from "./places.ts";
import { isInTree, type Mark, type Node, type Root } from "./tree.ts";

interface Former {
  readonly node: Node;
  /** What happened to it may be queued up to there; "rest": until no record is queued. */
  readonly until: number | "rest";
}

export class Formers {
  readonly #backend: Pick<Backend, "end" | "position">;
  readonly #places: Places;
  #formers: Former[] = [];

  constructor(backend: Pick<Backend, "end" | "position">, places: Places) {
    this.#backend = backend;
    this.#places = places;
  }

  get isEmpty(): boolean {
    return this.#formers.length === 0;
  }

  /** What happened to it before now is queued: that is told. */
  readOut(node: Node): void {
    this.#formers.push({ node, until: this.#backend.end });
  }

  /**
   * One of its links went, and another file has its name. If it was the last, and nobody has it open, its
   * `delete_self` is queued by the call that replaced it. Nothing else is told of it any more.
   */
  awaitEnd(node: Node): void {
    node.standing = "replaced";
    this.#formers.push({ node, until: "rest" });
  }

  /** A root is not watched any more. */
  forget(root: Root): void {
    this.#drop(({ node }) => node.root === root);
  }

  /** It has the path of the root again. */
  isBack(root: Root, mark: Mark): void {
    this.#drop(({ node }) => node.root === root && node.mark === mark);
  }

  /** What has been read is told. */
  afterRead(): void {
    if (this.isEmpty) return;
    const { position } = this.#backend;
    this.#drop(({ until }) => until !== "rest" && until <= position);
  }

  /** No record is queued: their ends do not come any more. */
  settle(): void {
    this.#drop(({ until }) => until === "rest");
  }

  #drop(isOver: (former: Former) => boolean): void {
    const over = this.#formers.filter(isOver);
    this.#formers = this.#formers.filter((one) => !over.includes(one));
    for (const { node } of over) if (isInTree(node)) this.#places.drop(node);
  }
}
