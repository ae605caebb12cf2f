/** Filesystems that come and go below watched directories. */
import { readFileSync, realpathSync } from "node:fs";
import { fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { childrenOf, isHiddenIn, type Node, type Root } from "./tree.ts";
import { follows, isLeftOut } from "./want.ts";
import type { WatchTable } from "./watch-table.ts";

const mountTable = "/proc/self/mountinfo";

interface MountPoint {
  /** Absolute, one char for one byte. */
  readonly path: string;
  /** "major:minor" of the filesystem. */
  readonly device: string;
}

/** What is mounted, by proc_pid_mountinfo(5). */
export class Mounts {
  #known = readMounts();

  /** Whether a filesystem is mounted anywhere, as of the last look. */
  isMounted(device: string): boolean {
    return this.#known.values().some((mount) => mount.device === device);
  }

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
      for (const { path } of came) lookAgainAt(table, root, path, { isUnmounted: false });
      for (const { path, device } of went) {
        const isUnmounted = !mounts.isMounted(device);
        const isFound = lookAgainAt(table, root, path, { isUnmounted });
        // A directory above was renamed since, or the filesystem is in the tree at another place, too.
        if (isFound === "elsewhere" || (isFound === "found" && !isUnmounted)) table.doubt();
      }
    }
  }
}

/** The mount point is not the directory that it was. */
function lookAgainAt(
  table: WatchTable,
  root: Root,
  path: string,
  how: { readonly isUnmounted: boolean },
): "outside" | "elsewhere" | "found" {
  const names = namesBelow(root.path, path);
  const name = names?.pop();
  if (names === null || name === undefined) return "outside";
  let parent = root.node!;
  for (const one of names) {
    const [next] = named(parent, one);
    if (next !== undefined) parent = next;
    else return isLeftOut(root, isHiddenIn(parent, fromLatin1(one))) ? "outside" : "elsewhere";
  }
  for (const there of named(parent, name)) table.giveUp(there, how);
  table.lookAgainIn(parent);
  return "found";
}

/** Almost always one, or none. */
function named(parent: Node, name: string): Node[] {
  return childrenOf(parent).filter((child) => latin1(child.name) === name);
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
