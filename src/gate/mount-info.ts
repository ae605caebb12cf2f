/** Mounts as /proc/PID/mountinfo lists them (proc_pid_mountinfo(5)), in whatever mount namespace that process is. */
import { readFileSync, readlinkSync } from "node:fs";
import { fromLatin1 } from "../../ffi/bytes.ts";

export interface MountInfo {
  /** As statx(2) says it: STATX_MNT_ID. Used again once it is free. */
  readonly id: number;
  /** "major:minor" of the filesystem. */
  readonly device: string;
  /** The directory of the filesystem that is mounted, and where it is: one char for one byte. */
  readonly root: string;
  readonly point: string;
  /** "ext4", "fuse.sshfs" */
  readonly type: string;
}

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

export function mountsIn(text: string): MountInfo[] {
  return text.split("\n").flatMap((line) => mountIn(line) ?? []);
}

function mountIn(line: string): MountInfo | null {
  const fields = line.split(" ");
  const [id, , device, root, point] = fields;
  if (point === undefined) return null;
  const type = fields[fields.indexOf("-") + 1]!; // behind fields whose number varies
  return { id: Number(id), device: device!, root: plain(root!), point: plain(point), type };
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

/** Blanks, tabs, newlines and backslashes are written in octal. */
function plain(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // it has ended, or /proc is not there
  }
}
