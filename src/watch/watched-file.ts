/** What is known of the versions of one watched file, each of which is told once. */
import type { LeadingName } from "./leading-names.ts";
import { linksOf, namesTo } from "./path-names.ts";
import { type Mark, Node, type Root } from "./tree.ts";

export class WatchedFile {
  readonly root: Root;
  /** The names that lead to it, each with the mark of the directory that it is in, and the path of that. */
  names: readonly { readonly mark: Mark; readonly path: Uint8Array; readonly one: LeadingName }[] =
    [];
  /** Records up to here (`Backend.position`) are older than the last look that found a file. */
  foundAt = 0;
  /** Records up to here are older than the watch; null until the first look. */
  since: number | null;
  /** Of the last record by which one of the names was taken from a file. */
  leftAt = -1;
  /**
   * Versions that were told because a look found them, less the records that brought one: above 0 if the
   * records are still to come, below 0 while a look is still to come.
   */
  ahead = 0;
  /** Which symbolic links the last look has followed. */
  links = "";
  /** Somebody had it open for writing when it was watched already. */
  isBeingWritten = false;
  #passing: Node | null = null;

  /** @param isNew records that are queued may tell of it */
  constructor(root: Root, { isNew }: { readonly isNew: boolean }) {
    this.root = root;
    this.since = isNew ? -1 : null;
  }

  /** Whether the symbolic links are still those of the last look. */
  hasSameLinks(): boolean {
    return this.links === "" || linksOf(namesTo(this.root.path)) === this.links;
  }

  /** @param at `Backend.end` of the moment of the look */
  wasFound(at: number): void {
    this.since ??= at;
    this.foundAt = at;
  }

  /** Where a version was that has gone before it could be watched. */
  get passing(): Node {
    const mark: Mark = { isDirectory: false, identity: null, nodes: [], names: null, mask: 0 };
    return (this.#passing ??= new Node(this.root, mark, { parent: null, name: this.root.path }));
  }
}
