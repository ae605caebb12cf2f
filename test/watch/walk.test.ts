/** Walks over the tree, with a disk that is made up. */
import { expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { Comparison } from "../../src/watch/comparison.ts";
import { addNode, type Mark, Node, type Root } from "../../src/watch/tree.ts";
import { Walk } from "../../src/watch/walk.ts";

const path = utf8("/srv");

function directory(parent: Node | null, name: Uint8Array): Node {
  const mark: Mark = { isDirectory: true, identity: name, nodes: [], names: null, mask: 0 };
  const node = new Node({ path } as Root, mark, { parent, name });
  addNode(mark, node);
  if (parent !== null) node.attach();
  return node;
}

test("a comparison does not end what is in a directory that cannot be opened", () => {
  const top = directory(null, path);
  directory(directory(top, utf8("a")), utf8("b"));
  const comparison = new Comparison(top, 0);
  const walk = new Walk({ open: () => null, listed() {}, found: () => null, failed() {} });
  walk.add({ node: top, isNew: false, comparison });
  walk.run(1);
  expect(comparison.isOver).toBe(true);
  expect(comparison.unseen()).toEqual([]);
});
