/** The kernel's marks of a process, as /proc/PID/fdinfo has them (proc_pid_fdinfo(5)). */
import { IN_DELETE_SELF, IN_MOVE_SELF } from "../../ffi/inotify/abi.ts";
import { readdirSync, readFileSync, statSync } from "node:fs";

export interface KernelMark {
  readonly backend: "inotify" | "fanotify";
  /** inotify's watch descriptor, 0 for fanotify. */
  readonly wd: number;
  readonly ino: number;
  readonly mask: number;
}

/** Directories on the way to watched paths are watched for this, beside the queues that serve rules. */
const wayMask = IN_DELETE_SELF | IN_MOVE_SELF;

/** Those that serve rules, in the order of the kernel's list. */
export function kernelMarks(pid: number): KernelMark[] {
  return marksIn(pid, readdirSync(`/proc/${pid}/fdinfo`)).filter(({ mask }) => mask !== wayMask);
}

/** Those of some of its descriptors. */
export function marksIn(pid: number, files: readonly string[]): KernelMark[] {
  const lines = files.flatMap((file) => fdinfoOf(pid, file).split("\n"));
  return lines.flatMap((line) => {
    const [, backend] = /^(inotify|fanotify) (?:wd|ino):/.exec(line) ?? [];
    if (backend === undefined) return [];
    const field = (name: string) =>
      parseInt(new RegExp(` ${name}:([0-9a-f]+)`).exec(line)?.[1] ?? "0", 16);
    return [
      { backend: backend as "inotify", wd: field("wd"), ino: field("ino"), mask: field("mask") },
    ];
  });
}

/** The mark on a path. */
export function markOn(pid: number, path: string): KernelMark | undefined {
  const { ino } = statSync(path);
  return kernelMarks(pid).find((mark) => mark.ino === ino);
}

/** @returns nothing for a descriptor that was closed since: a look of facron's holds one for a moment */
export function fdinfoOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/fdinfo/${file}`, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
