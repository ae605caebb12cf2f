/** One rename, seen from each place where its directories are watched. */
import { eventBits } from "../event.ts";
import type { Place, Side } from "./backend.ts";
import type { Node } from "./tree.ts";

/** Whether rules want both places of a rename in one event. */
export function asksForRename({ interests }: Node): boolean {
  return ((interests?.events ?? 0) & eventBits.rename) !== 0;
}

/** Each root tells it by its own names; where it sees one side only, another root's name stands for the other. */
export function renamePlaces(from: Side, to: Side): { from: Place; to: Place }[] {
  const pairs: { from: Node; to: Node }[] = [];
  for (const node of to.nodes) pairs.push({ from: sameRoot(node, from.nodes), to: node });
  for (const node of from.nodes) {
    const isPaired = pairs.some((pair) => pair.from === node);
    if (!isPaired) pairs.push({ from: node, to: sameRoot(node, to.nodes) });
  }
  return pairs.map((pair) => ({
    from: { node: pair.from, name: from.name },
    to: { node: pair.to, name: to.name },
  }));
}

function sameRoot(node: Node, others: readonly Node[]): Node {
  return others.find((other) => other.root === node.root) ?? others[0]!;
}
