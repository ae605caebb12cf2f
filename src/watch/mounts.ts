/** Makes the trees true again where filesystems come and go at, above and below watched directories. */
import { fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { type Arrival, type Departure, type MountChanges, type MountTable } from "./mount-table.ts";
import { isBelow, isIn, pathsOf, withSlash } from "./mount-paths.ts";
import { childrenOf, type Node, type Root } from "./tree.ts";
import { follows, isLeftOut, marksFilesystem } from "./want.ts";
import type { WatchTable } from "./watch-table.ts";

interface Watched {
  readonly table: WatchTable;
  readonly root: Root;
  /** As configured, and without symbolic links. */
  readonly paths: readonly string[];
}

/** What a look has found, until it is followed. */
export interface MountsSeen extends MountChanges {
  readonly watched: readonly Watched[];
  /** Something else is at their paths. */
  readonly lost: readonly Watched[];
}

/**
 * What has changed. Nothing is given up yet: records of what happened before, in what is hidden by now,
 * are to be read in between.
 */
export function seeMounts(tables: readonly WatchTable[], mounts: MountTable): MountsSeen {
  const watched = tables.flatMap((table) =>
    [...table.roots.values()]
      .filter(({ node }) => node !== null)
      .map((root) => ({ table, root, paths: pathsOf(root) })),
  );
  const changes = mounts.changes((path) =>
    watched.some(({ paths }) => paths.some((one) => isBelow(path, one) || isBelow(one, path))),
  );
  const lost = watched.filter(({ table, root }) => !table.checks.isThere(root));
  return { ...changes, watched, lost };
}

/** What mounts show, and what they hid, was there before, so nothing is told of it. */
export function followMounts({ came, went, watched, lost }: MountsSeen): void {
  for (const { table, root } of lost) table.checks.check(root, "mounted");
  for (const { table, root, paths } of watched) {
    // Its marks are gone with the mount, though it may be the same inode again.
    const isOnNew = came.some(
      ({ path, isMoved }) => !isMoved && paths.some((one) => isBelow(one, path)),
    );
    if (isOnNew) table.checks.check(root, "unmounted");
    if (isOnNew || root.node === null || !root.node.isDirectory || !follows(root)) continue;
    if (marksFilesystem(root)) {
      table.lookAgainIn(root.node); // what was hidden may be seen
      table.reports.sayMountedBelow(
        root,
        came.map(({ path }) => path).filter((path) => isIn(path, paths)),
      );
      continue;
    }
    for (const one of came) followArrival(table, root, one);
    for (const one of went) followDeparture(table, root, one);
  }
}

function followArrival(table: WatchTable, root: Root, { path, isMoved }: Arrival): void {
  const point = findIn(root, path);
  if (point === "outside") return;
  if (point === "elsewhere") return isMoved ? undefined : table.doubt(); // renamed since
  const { parent, nodes } = point;
  const left = isMoved ? nodes.filter((node) => !table.isStillThere(node)) : nodes;
  for (const node of left) table.giveUp(node);
  if (left.length > 0 || nodes.length === 0) table.lookAgainIn(parent);
}

function followDeparture(table: WatchTable, root: Root, departure: Departure): void {
  const { path, isMoved, isGone } = departure;
  const point = findIn(root, path);
  if (point === "outside") return;
  if (point !== "elsewhere") {
    const left = point.nodes.filter((node) => !table.isStillThere(node));
    for (const node of left) table.giveUp(node, { isUnmounted: isGone });
    if (left.length > 0 || point.nodes.length === 0) table.lookAgainIn(point.parent);
  }
  // A directory above was renamed since, or the filesystem is in the tree at another place, too.
  if (!isMoved && (point === "elsewhere" || !isGone)) table.doubt();
}

/** Where a mount point is in a tree. */
function findIn(
  root: Root,
  path: string,
): { readonly parent: Node; readonly nodes: readonly Node[] } | "outside" | "elsewhere" {
  const names = namesBelow(root, path);
  const name = names?.pop();
  if (names === null || name === undefined) return "outside";
  let parent = root.node!;
  for (const one of names) {
    const [next] = named(parent, one);
    if (next !== undefined) parent = next;
    else return isLeftOut(parent, fromLatin1(one)) ? "outside" : "elsewhere";
  }
  return { parent, nodes: named(parent, name) };
}

/** Almost always one, or none. */
function named(parent: Node, name: string): Node[] {
  return childrenOf(parent).filter((child) => latin1(child.name) === name);
}

/** @returns the names from the root to the path, null if it is not below the root */
function namesBelow(root: Root, path: string): string[] | null {
  const start = pathsOf(root).find((one) => one !== path && isBelow(path, one));
  return start === undefined ? null : path.slice(withSlash(start).length).split("/");
}
