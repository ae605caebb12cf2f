/** The mounts of a process, in whatever mount namespace it is, and the names that a file has in them. */
import { readFileSync, readlinkSync } from "node:fs";
import { fromLatin1 } from "../../ffi/bytes.ts";
import { mountIn, type MountInfo, mountsIn } from "../../ffi/mount-info.ts";

/** @param process "self" or a pid. @returns none if it has ended */
export function mountsOf(process: "self" | number): MountInfo[] {
  return mountsIn(readText(`/proc/${process}/mountinfo`));
}

/**
 * The one with that id, if it is where the list says: points are told from the root of the process, and the
 * names of files from the top of its mount namespace. So nobody who has a root of its own (chroot(2)) is
 * believed, before the list is read and after it.
 *
 * @returns null if that process has none such, or has ended
 */
export function mountOf(process: number, id: number): MountInfo | null {
  if (!isAtTop(process)) return null;
  const mount = listedMountOf(process, id);
  return isAtTop(process) ? mount : null;
}

/** Whether its root is that of its mount namespace: then the kernel has no other name for it. */
function isAtTop(process: number): boolean {
  try {
    return readlinkSync(`/proc/${process}/root`) === "/";
  } catch {
    return false; // it has ended
  }
}

function listedMountOf(process: number, id: number): MountInfo | null {
  const lines = readText(`/proc/${process}/mountinfo`).split("\n");
  const line = lines.find((one) => one.startsWith(`${id} `));
  return line === undefined ? null : mountIn(line);
}

/** Whether a path is one of what the mount shows. */
export function isIn(path: string, { point }: MountInfo): boolean {
  return belowOf(path, point) !== null;
}

/**
 * The name in another mount of what has a name in this one: a mount shows a part of its filesystem.
 *
 * @param path in `from`. @returns null if `to` does not show it
 */
export function seenFrom(path: string, from: MountInfo, to: MountInfo): string | null {
  if (from.device !== to.device) return null;
  const below = belowOf(path, from.point);
  if (below === null) return null;
  const shown = belowOf(joined(from.root, below), to.root);
  return shown === null ? null : joined(to.point, shown);
}

export function bytesOf(path: string): Uint8Array {
  return fromLatin1(path);
}

/** What follows `directory` in a path, with its slash; empty for itself, null if it is not in there. */
function belowOf(path: string, directory: string): string | null {
  if (directory === "/") return path === "/" ? "" : path;
  if (path === directory) return "";
  return path.startsWith(`${directory}/`) ? path.slice(directory.length) : null;
}

function joined(directory: string, below: string): string {
  if (directory === "/") return below === "" ? "/" : below;
  return directory + below;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // it has ended, or /proc is not there
  }
}
