/** Filesystems that come and go below watched directories. */
import { readFileSync, realpathSync } from "node:fs";
import { fromLatin1, latin1 } from "../../ffi/bytes.ts";
import type { Node, Root } from "./tree.ts";
import { follows } from "./want.ts";
import type { WatchTable } from "./watch-table.ts";

const mountTable = "/proc/self/mountinfo";

interface MountPoint {
  /** Absolute, one char for one byte. */
  readonly path: string;
  /** "major:minor", as in `FileStatus.inode`. */
  readonly device: string;
}

/** What is mounted, by proc_pid_mountinfo(5). */
export class Mounts {
  #known = readMounts();

  /** Where something was mounted or unmounted since the last time. */
  changes(): { readonly came: readonly MountPoint[]; readonly went: readonly MountPoint[] } {
    const before = this.#known;
    const now = readMounts();
    this.#known = now;
    const isNot = (other: ReadonlyMap<string, MountPoint>) => (id: string) => !other.has(id);
    return {
      came: [...now.keys()].filter(isNot(before)).map((id) => now.get(id)!),
      went: [...before.keys()].filter(isNot(now)).map((id) => before.get(id)!),
    };
  }
}

/**
 * Make the trees true again where a mount shows other directories than before, or shows again what it hid.
 * They were there before, so nothing is told of them.
 */
export function followMounts(tables: readonly WatchTable[], mounts: Mounts): void {
  const { came, went } = mounts.changes();
  for (const table of tables) {
    for (const root of table.roots.values()) {
      if (root.node === null || !root.node.isDirectory || !follows(root)) continue;
      for (const point of came) lookAgainAt(table, root, point);
      for (const point of went)
        if (!lookAgainAt(table, root, point)) lookAgainOn(table, root, point);
      if (went.some((point) => isBind(root, point)))
        for (const node of nodesOf(root)) table.lookAgainIn(node);
    }
  }
}

/** The mount point is not the directory that it was. @returns whether it is in the tree */
function lookAgainAt(table: WatchTable, root: Root, { path }: MountPoint): boolean {
  const names = namesBelow(root.path, path);
  const name = names?.pop();
  if (names === null || name === undefined) return false;
  let parent = root.node!;
  for (const one of names) {
    const next = parent.child(fromLatin1(one));
    if (next === null) return false;
    parent = next;
  }
  const there = parent.child(fromLatin1(name));
  if (there !== null) table.giveUp(there);
  table.lookAgainIn(parent);
  return true;
}

/** A directory above the mount point was renamed since it was last read: its filesystem tells where it is. */
function lookAgainOn(table: WatchTable, root: Root, { device }: MountPoint): void {
  const isOn = ({ inode }: Node) => inode.startsWith(`${device}:`);
  for (const node of [...nodesOf(root)]) {
    const { parent } = node;
    if (parent === null || !isOn(node) || isOn(parent)) continue;
    table.giveUp(node);
    table.lookAgainIn(parent);
  }
}

/** @returns the names from the root to the path, null if it is not below the root */
function namesBelow(rootPath: Uint8Array, path: string): string[] | null {
  const direct = latin1(rootPath);
  for (const root of [direct, realPath(rootPath) ?? direct]) {
    const start = root === "/" ? root : `${root}/`;
    if (path.startsWith(start)) return path.slice(start.length).split("/");
  }
  return null;
}

/** The mount table has no symbolic links in its paths. */
function realPath(path: Uint8Array): string | null {
  try {
    return latin1(realpathSync(Buffer.from(path), { encoding: "buffer" }));
  } catch {
    return null; // gone by now
  }
}

/** A directory that is in a tree twice has one place in it: it may be the one that has gone. */
function isBind({ path, node }: Root, point: MountPoint): boolean {
  return node!.inode.startsWith(`${point.device}:`) && namesBelow(path, point.path) !== null;
}

function* nodesOf({ node }: Root): Generator<Node> {
  const rest = [node!];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    yield next;
    if (next.children !== null) rest.push(...next.children.values());
  }
}

/** By mount id and place: an id is used again once it is free. */
function readMounts(): ReadonlyMap<string, MountPoint> {
  const mounts = new Map<string, MountPoint>();
  for (const line of mountLines()) {
    const [id, , device, , escaped] = line.split(" ");
    if (escaped === undefined) continue;
    const path = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    mounts.set(`${id} ${path}`, { path, device: device! });
  }
  return mounts;
}

function mountLines(): string[] {
  try {
    return readFileSync(mountTable, "latin1").split("\n");
  } catch {
    return []; // no /proc: what comes and goes is not noticed
  }
}
