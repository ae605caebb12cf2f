/** What is mounted, and what has changed since the last look at it. */
import { readFileSync } from "node:fs";
import { cString, fromLatin1 } from "../../ffi/bytes.ts";
import { mountNumber } from "../../ffi/files.ts";
import { mountsIn } from "../../ffi/mount-info.ts";

/** Types of filesystem, as proc_pid_mountinfo(5) has them. */
const remote = /^(nfs|cifs|smb|ncp|9p|ceph|afs|coda|lustre|gfs|ocfs|fuse|autofs)/;

const mountTable = "/proc/self/mountinfo";

export interface Mount {
  /** Absolute, one char for one byte. */
  readonly path: string;
  /** "major:minor" of the filesystem. */
  readonly device: string;
  /** Another machine or process answers for it, or does not. */
  readonly isRemote: boolean;
}

export interface Arrival {
  readonly path: string;
  /** It was there before: the directory that it is on was moved, one above it, or the mount itself. */
  readonly isMoved: boolean;
}

export interface Departure {
  readonly path: string;
  readonly isMoved: boolean;
  /** The filesystem is mounted nowhere else. */
  readonly isGone: boolean;
}

export interface MountChanges {
  readonly came: readonly Arrival[];
  readonly went: readonly Departure[];
}

/** proc_pid_mountinfo(5). */
export class MountTable {
  #known = readMounts();
  /** The highest `mountNumber` at the last look: one that is higher was made since. */
  #latest = latestOf(this.#known.values());
  /** `mountNumber` of the remote ones that mattered, by path. */
  readonly #remotes = new Map<string, number>();

  /**
   * What was mounted, unmounted or moved since the last time. A mount that looks as before may be another:
   * unmounted and mounted again between two looks.
   *
   * @param matters whether something is watched above or below a path
   */
  changes(matters: (path: string) => boolean): MountChanges {
    const before = this.#known;
    const now = readMounts();
    const latest = this.#latest;
    const came: Arrival[] = [];
    const went: Departure[] = [];
    const devices = new Set([...now.values()].map(({ device }) => device));
    for (const [id, mount] of now) {
      const { path } = mount;
      const known = before.get(id);
      const isSame = !this.#isNew(mount, latest, matters) && known?.device === mount.device;
      if (!isSame || known.path !== path) came.push({ path, isMoved: isSame });
    }
    for (const [id, { path, device }] of before) {
      const isMoved = now.get(id)?.device === device;
      if (now.get(id)?.path !== path || !isMoved)
        went.push({ path, isMoved, isGone: !devices.has(device) });
    }
    this.#known = now;
    return { came, went };
  }

  /** Asked once for each: between two answers it may be mounted anew. */
  #isNew({ path, isRemote }: Mount, latest: number, matters: (path: string) => boolean): boolean {
    if (isRemote) return matters(path) && this.#isNewRemote(path);
    const number = numberOf(path);
    this.#latest = Math.max(this.#latest, number);
    return number > latest && matters(path);
  }

  #isNewRemote(path: string): boolean {
    const number = numberOf(path);
    const before = this.#remotes.get(path) ?? number;
    this.#remotes.set(path, number);
    return number > before;
  }
}

/** Where something is mounted now, one char for one byte. */
export function mountPoints(): string[] {
  return [...readMounts().values()].map(({ path }) => path);
}

function numberOf(path: string): number {
  return mountNumber(cString(fromLatin1(path))) ?? 0;
}

/** Nobody waits for a server that is gone because of a mount that is nobody's concern. */
function latestOf(mounts: Iterable<Mount>): number {
  let latest = 0;
  for (const { path, isRemote } of mounts) if (!isRemote) latest = Math.max(latest, numberOf(path));
  return latest;
}

/** By mount id: it is used again once it is free. */
export function readMounts(): ReadonlyMap<string, Mount> {
  const mounts = new Map<string, Mount>();
  for (const { id, point: path, device, type } of mountsIn(mountTableText()))
    mounts.set(`${id}`, { path, device, isRemote: remote.test(type) });
  return mounts;
}

function mountTableText(): string {
  try {
    return readFileSync(mountTable, "latin1");
  } catch {
    return ""; // no /proc: what comes and goes is not noticed
  }
}
