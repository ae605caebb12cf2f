/** The kernel's limits on watching: which one is reached, and what would be enough. */
import { readFileSync } from "node:fs";
import { Errno, type SyscallError } from "../../ffi/errno.ts";
import { openFilesText } from "../open-files.ts";
import type { BackendName } from "../rule/rule.ts";

/** A watch could not be made because there are too many, or no memory for one (inotify_add_watch(2)). */
export function isLimit({ errno, syscall }: SyscallError): boolean {
  if (errno === Errno.EMFILE || errno === Errno.ENFILE) return opensQueue(syscall);
  return errno === Errno.ENOSPC || errno === Errno.ENOMEM;
}

function opensQueue(syscall: string): boolean {
  return syscall === "inotify_init1" || syscall === "fanotify_init";
}

/** The backend that the call belongs to. */
export function whoseLimit({ syscall }: SyscallError): BackendName {
  return syscall.startsWith("inotify") ? "inotify" : "fanotify";
}

/**
 * Each limit by the system's sysctl, and by that of the user namespace, where a container may have a lower
 * one (namespaces(7), /proc/sys/user).
 */
const sysctls = {
  inotify: {
    watches: ["fs.inotify.max_user_watches", "user.max_inotify_watches"],
    queues: ["fs.inotify.max_user_instances", "user.max_inotify_instances"],
  },
  fanotify: {
    watches: ["fs.fanotify.max_user_marks", "user.max_fanotify_marks"],
    queues: ["fs.fanotify.max_user_groups", "user.max_fanotify_groups"],
  },
} as const;

/** The state and the cure, after the colon. @param needed how many are known to be needed */
export function limitText(error: SyscallError, backend: BackendName, needed = 0): string {
  const { errno, syscall } = error;
  if (errno === Errno.ENOMEM) return `the kernel has no memory left for it (${syscall})`;
  if (errno === Errno.ENFILE) return sysctlText("fs.file-max", sysctlValue("fs.file-max"), needed);
  const isQueue = errno === Errno.EMFILE;
  if (isQueue && !(opensQueue(syscall) && canOpenMore())) return openFilesText;
  const names = sysctls[backend][isQueue ? "queues" : "watches"];
  const lowest = names
    .map((name) => ({ name, value: sysctlValue(name) }))
    .reduce((low, one) => ((one.value ?? Infinity) < (low.value ?? Infinity) ? one : low));
  return sysctlText(lowest.name, lowest.value, needed);
}

/** EMFILE stands for facron's own limit as well, and then not even /proc can be read. */
function canOpenMore(): boolean {
  return sysctlValue("fs.inotify.max_user_instances") !== null;
}

/** Twice what there is or is needed, rounded up to a power of two: room to grow, and a number to paste. */
function sysctlText(sysctl: string, now: number | null, needed: number): string {
  if (now === null) return `${sysctl} is reached; raise it with sysctl`;
  const fitting = 2 ** Math.ceil(Math.log2(Math.max(now, needed, 1) * 2));
  const setting = `${sysctl}=${fitting}`;
  return (
    `${sysctl} is reached (${now})\n` +
    `  raise it: sysctl ${setting}\n` +
    `  for good: echo ${setting} >/etc/sysctl.d/60-facron.conf`
  );
}

/** A sysctl's number, null where it cannot be read. Only ever called when something is wrong already. */
export function sysctlValue(name: string): number | null {
  try {
    return Number(readFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, "utf8"));
  } catch {
    return null;
  }
}
