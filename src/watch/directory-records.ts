/** What records say of directories' names, and how that changes the tree. */
import type { DirectoryEntry, DirectoryMove } from "./backend.ts";
import type { Node } from "./tree.ts";

export interface DirectoryRecords {
  /** Something is known in part: a moment without records will tell the rest. */
  readonly isUnsettled: boolean;
  /** A directory was created in, deleted from, or, where the halves of a move are told, moved into or out of `node`. */
  entry(node: Node, entry: DirectoryEntry): void;
  /** A directory was moved, told in one record. */
  moved(move: DirectoryMove): void;
  /** All records of a read are delivered. */
  step(): void;
  /** No records are queued. */
  settle(): void;
}
