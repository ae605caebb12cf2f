/** Where cgroups of commands are made: below our own, in version 2, or where version 1 has the controller. */
import { readFileSync, readlinkSync } from "node:fs";
import { Errno, errnoText, SyscallError } from "../../ffi/errno.ts";
import { quoted } from "../log.ts";
import type { CgroupLimits } from "../rule/policy.ts";
import {
  childrenOf,
  makeDirectory,
  readControl,
  removeCgroup,
  writeControl,
} from "./cgroup-files.ts";
import { type CgroupHomes, cgroupHomes } from "./cgroup-mounts.ts";
import { CgroupError } from "./denials.ts";

/** A directory that the cgroups of commands are made in. */
export interface CgroupPlace {
  readonly directory: string;
  readonly version: 1 | 2;
}

export interface CgroupPlaces {
  /** By which processes are found and killed. */
  readonly members: CgroupPlace;
  /** Null: no limit is wanted. */
  readonly memory: CgroupPlace | null;
  readonly pids: CgroupPlace | null;
}

let knownHomes: CgroupHomes | null = null;

/** @throws {CgroupError} one sentence with the cure */
export function cgroupPlaces({ memoryMax, pidsMax }: CgroupLimits): CgroupPlaces {
  const homes = (knownHomes ??= findHomes());
  const handed = homes.unified === null ? [] : controllersOf(homes.unified);
  const placeFor = (controller: "memory" | "pids", key: string): CgroupPlace => {
    if (handed.includes(controller)) return { directory: homes.unified!, version: 2 };
    const directory = homes[controller];
    if (directory === null) throw notHanded(controller, key);
    return { directory, version: 1 };
  };
  const memory = memoryMax === undefined ? null : placeFor("memory", "memory_max");
  const pids = pidsMax === undefined ? null : placeFor("pids", "pids_max");
  const wanted = [memory, pids].flatMap((place, at) =>
    place?.version === 2 ? [["memory", "pids"][at]!] : [],
  );
  if (wanted.length > 0) handDown(homes.unified!, wanted);
  return { members: membersPlace(homes), memory, pids };
}

function findHomes(): CgroupHomes {
  const read = (name: string): string => readFileSync(`/proc/self/${name}`, "utf8");
  const homes = cgroupHomes(read("mountinfo"), read("cgroup"));
  for (const home of new Set(Object.values(homes))) if (home !== null) removeLeftovers(home);
  return homes;
}

function membersPlace({ unified, pids, memory }: CgroupHomes): CgroupPlace {
  if (unified !== null) return { directory: unified, version: 2 };
  const directory = pids ?? memory;
  if (directory !== null) return { directory, version: 1 };
  throw new CgroupError(
    "Cannot give commands a cgroup: facron's own is not visible under /sys/fs/cgroup; mount it there (mount -t cgroup2 none /sys/fs/cgroup), or take cgroup, memory_max and pids_max out of the rules",
  );
}

function controllersOf(directory: string): string[] {
  return readControl(`${directory}/cgroup.controllers`).trim().split(" ");
}

function notHanded(controller: string, key: string): CgroupError {
  return new CgroupError(
    `Cannot limit commands by ${key}: facron's own cgroup has no ${controller} controller; set Delegate=yes in its unit, or take ${key} out of the rules`,
  );
}

/** Our own processes move there, where nothing else is in the way. */
const leaf = "facron";

/**
 * Controllers for the cgroups below ours.
 *
 * The kernel hands them down only where no process is (cgroups(7), "no internal processes" rule), the
 * root excepted: so we move into a cgroup of our own below, as systemd asks of services with Delegate=.
 *
 * @throws {CgroupError}
 */
export function handDown(home: string, controllers: readonly string[]): void {
  const control = `${home}/cgroup.subtree_control`;
  const words = controllers.map((one) => `+${one}`).join(" ");
  try {
    const handed = readControl(control).trim().split(" ");
    if (controllers.every((one) => handed.includes(one))) return;
    try {
      writeControl(control, words);
    } catch (error) {
      if (!isErrno(error, Errno.EBUSY)) throw error;
      moveToLeaf(home);
      writeControl(control, words);
    }
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw placeError(home, error);
  }
}

function moveToLeaf(home: string): void {
  try {
    makeDirectory(`${home}/${leaf}`);
  } catch (error) {
    if (!isErrno(error, Errno.EEXIST)) throw error;
  }
  const members = `${home}/${leaf}/cgroup.procs`;
  writeControl(members, "0");
  for (const pid of readControl(`${home}/cgroup.procs`).split("\n").map(Number)) {
    if (isOurs(pid)) moveIfThere(members, pid);
  }
}

/** A command that runs already, or the facron that waits for this one to be ready (`--daemon`). */
function isOurs(pid: number): boolean {
  if (pid === 0) return false;
  if (pid === process.ppid) return programOf("self") === programOf(String(pid));
  return statFieldsOf(pid)[parentField] === String(process.pid);
}

function programOf(pid: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return null; // gone, or somebody else's
  }
}

function moveIfThere(members: string, pid: number): void {
  try {
    writeControl(members, String(pid));
  } catch (error) {
    if (!isErrno(error, Errno.ESRCH)) throw error;
  }
}

function isErrno(error: unknown, errno: number): boolean {
  return error instanceof SyscallError && error.errno === errno;
}

/** Why a cgroup can't be made there. */
export function placeError(directory: string, error: SyscallError): CgroupError {
  const reason = placeReasons[error.errno] ?? errnoText(error.errno);
  return new CgroupError(`Cannot make a cgroup for commands in ${quoted(directory)}: ${reason}`, {
    cause: error,
  });
}

const noPrivilege =
  "permission denied; run facron as root or with Delegate=yes in its unit, or take cgroup, memory_max and pids_max out of the rules";

const placeReasons: Readonly<Record<number, string>> = {
  [Errno.EACCES]: noPrivilege,
  [Errno.EPERM]: noPrivilege,
  [Errno.EROFS]:
    "it is mounted read-only; mount it writable for facron's container, or take ProtectControlGroups= out of its unit",
  [Errno.EBUSY]:
    "other processes are in facron's own cgroup; start facron anew, in a cgroup of its own (a unit with Delegate=yes)",
  [Errno.EAGAIN]: "there are too many; lower max_running, or raise cgroup.max.descendants above it",
};

/** `facron.PID.START.NUMBER`: whose it is can be told after that facron is gone. */
export function nameFor(number: number): string {
  return `facron.${process.pid}.${(ownStart ??= startOf(process.pid))}.${number}`;
}

let ownStart: string | null = null;

/** Of facrons that were killed. What still runs in one keeps it, and the next facron looks again. */
function removeLeftovers(home: string): void {
  for (const child of childrenOf(home)) {
    const [, pid, start] = /\/facron\.(\d+)\.(\d+)\.\d+$/.exec(child) ?? [];
    if (pid !== undefined && startOf(Number(pid)) !== start) removeCgroup(child);
  }
}

/** Of /proc/PID/stat, counted from the state, which is its third field (proc_pid_stat(5)). */
const parentField = 1;
const startField = 19;

/** When a process was started, in ticks since boot; "" if there is none with this number. */
function startOf(pid: number): string {
  return statFieldsOf(pid)[startField] ?? "";
}

function statFieldsOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return []; // gone
  }
}
