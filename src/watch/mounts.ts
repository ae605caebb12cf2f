/** Filesystems that come and go below watched directories. */
import { readFileSync, realpathSync } from "node:fs";
import { cString, fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { mountNumber } from "../../ffi/files.ts";
import { childrenOf, type Node, type Root } from "./tree.ts";
import { follows, isLeftOut } from "./want.ts";
import type { WatchTable } from "./watch-table.ts";

/** Types of filesystem, as proc_pid_mountinfo(5) has them. */
const remote = /^(nfs|cifs|smb|ncp|9p|ceph|afs|coda|lustre|gfs|ocfs|fuse|autofs)/;

const mountTable = "/proc/self/mountinfo";

interface MountPoint {
  /** Absolute, one char for one byte. */
  readonly path: string;
  /** "major:minor" of the filesystem. */
  readonly device: string;
  /** Another machine or process answers for it, or does not. */
  readonly isRemote: boolean;
}

/** What is mounted, by proc_pid_mountinfo(5). */
export class Mounts {
  #known = readMounts();
  /** The highest `mountNumber` at the last look: one that is higher was made since. */
  #latest = latestOf(this.#known.values());
  /** `mountNumber` of the remote ones that mattered, by path. */
  readonly #remotes = new Map<string, number>();

  /** Whether a filesystem is mounted anywhere, as of the last look. */
  isMounted(device: string): boolean {
    return this.#known.values().some((mount) => mount.device === device);
  }

  /**
   * Where something was mounted or unmounted since the last time. One that looks as before may be another:
   * unmounted and mounted again between two looks.
   *
   * @param matters whether something is watched above or below a path
   */
  changes(matters: (path: string) => boolean): {
    readonly came: readonly MountPoint[];
    readonly went: readonly MountPoint[];
  } {
    const before = this.#known;
    const now = readMounts();
    this.#known = now;
    let latest = this.#latest;
    const isAgain = ({ path, isRemote }: MountPoint): boolean => {
      if (isRemote) return matters(path) && this.#isRemoteAgain(path);
      const number = numberOf(path);
      latest = Math.max(latest, number);
      return number > this.#latest && matters(path);
    };
    const came = [...now].filter(([id, mount]) => isAgain(mount) || !before.has(id));
    this.#latest = latest;
    return {
      came: came.map(([, mount]) => mount),
      went: [...before].filter(([id]) => !now.has(id)).map(([, mount]) => mount),
    };
  }

  #isRemoteAgain(path: string): boolean {
    const number = numberOf(path);
    const before = this.#remotes.get(path) ?? number;
    this.#remotes.set(path, number);
    return number > before;
  }
}

/**
 * Make the trees true again where a mount shows other directories than before, or shows again what it hid.
 * They were there before, so nothing is told of them.
 */
export function followMounts(tables: readonly WatchTable[], mounts: Mounts): void {
  const roots = tables.flatMap((table) =>
    [...table.roots.values()]
      .filter(({ node }) => node !== null)
      .map((root) => ({ table, root, paths: pathsOf(root) })),
  );
  const { came, went } = mounts.changes((path) =>
    roots.some(({ paths }) => paths.some((one) => isBelow(path, one) || isBelow(one, path))),
  );
  for (const { table, root, paths } of roots) {
    // Its marks are gone with the mount, though it may be the same inode again.
    const isOnNew = came.some(({ path }) => paths.some((one) => isBelow(one, path)));
    if (isOnNew) table.checkRoot(root, "unmounted");
    if (isOnNew || root.node === null || !root.node.isDirectory || !follows(root)) continue;
    for (const { path } of came) lookAgainAt(table, root, path, { isUnmounted: false });
    for (const { path, device } of went) {
      const isUnmounted = !mounts.isMounted(device);
      const isFound = lookAgainAt(table, root, path, { isUnmounted });
      // A directory above was renamed since, or the filesystem is in the tree at another place, too.
      if (isFound === "elsewhere" || (isFound === "found" && !isUnmounted)) table.doubt();
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
  const names = namesBelow(root, path);
  const name = names?.pop();
  if (names === null || name === undefined) return "outside";
  let parent = root.node!;
  for (const one of names) {
    const [next] = named(parent, one);
    if (next !== undefined) parent = next;
    else return isLeftOut(parent, fromLatin1(one)) ? "outside" : "elsewhere";
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
function namesBelow(root: Root, path: string): string[] | null {
  const start = pathsOf(root).find((one) => one !== path && isBelow(path, one));
  return start === undefined ? null : path.slice(withSlash(start).length).split("/");
}

/** Whether a path is another, or leads below it. */
function isBelow(path: string, other: string): boolean {
  return path === other || path.startsWith(withSlash(other));
}

function withSlash(path: string): string {
  return path.endsWith("/") ? path : `${path}/`;
}

/** As configured, and without symbolic links. */
function pathsOf({ path }: Root): string[] {
  const direct = latin1(path);
  const real = realPath(path) ?? direct;
  return real === direct ? [direct] : [direct, real];
}

/** The mount table has no symbolic links in its paths. */
function realPath(path: Uint8Array): string | null {
  try {
    return latin1(realpathSync(Buffer.from(path), { encoding: "buffer" }));
  } catch {
    return null; // gone by now
  }
}

function numberOf(path: string): number {
  return mountNumber(cString(fromLatin1(path))) ?? 0;
}

/** Nobody waits for a server that is gone because of a mount that is nobody's concern. */
function latestOf(mounts: Iterable<MountPoint>): number {
  let latest = 0;
  for (const { path, isRemote } of mounts) if (!isRemote) latest = Math.max(latest, numberOf(path));
  return latest;
}

/** By mount id and place: an id is used again once it is free. */
function readMounts(): ReadonlyMap<string, MountPoint> {
  const mounts = new Map<string, MountPoint>();
  for (const line of mountLines()) {
    const [id, , device, , escaped, ...rest] = line.split(" ");
    if (escaped === undefined) continue;
    const isRemote = remote.test(rest[rest.indexOf("-") + 1] ?? "");
    const path = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    mounts.set(`${id} ${path}`, { path, device: device!, isRemote });
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
