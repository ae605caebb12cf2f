/** Whether anything of a process group still runs, or only waits to be reaped. */
import { readdirSync, readFileSync } from "node:fs";

/** Of /proc/PID/stat, counted from behind the name (proc_pid_stat(5)). */
const stateField = 0;
const groupField = 2;

/**
 * Orphans are pid 1's to reap, and kill(2) finds them until then. In a container pid 1 may be any program:
 * it may never do that.
 *
 * It reads a file for each process of the machine: not to be asked often.
 *
 * @returns false also where /proc shows nothing of the group
 */
export function isOnlyZombies(group: number): boolean {
  const states = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(statFieldsOf)
    .filter((fields) => Number(fields[groupField]) === group)
    .map((fields) => fields[stateField]!);
  return states.length > 0 && states.every((state) => state === "Z" || state === "X");
}

function statFieldsOf(pid: string): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return []; // gone
  }
}
