/** What /proc says of a running program: its memory, its CPU time, its marks, whether it is stopped. */
import { readdirSync, readFileSync, statSync } from "node:fs";

export interface Memory {
  readonly residentKiB: number;
  readonly peakKiB: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return { residentKiB: kibibytes(status, "VmRSS"), peakKiB: kibibytes(status, "VmHWM") };
}

function kibibytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? Number.NaN);
}

/** utime + stime in clock ticks, 10 ms each: fields 14 and 15 of proc_pid_stat(5). */
export function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from field 3 on
  return Number(fields[11]) + Number(fields[12]);
}

/** Every thread is stopped: a group stop reaches threads one by one. */
export function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) =>
    /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8")),
  );
}

/**
 * A descriptor of the process has a mark on this directory, or on its whole mount or filesystem.
 *
 * Lines of proc_pid_fdinfo(5): `inotify wd:1 ino:2 sdev:27 ...`, `fanotify ino:2 sdev:27 ...`,
 * `fanotify sdev:27 ...`, `fanotify mnt_id:30 ...`; numbers are hexadecimal.
 */
export function watches(pid: number, directory: string): boolean {
  const { ino, dev } = statSync(directory);
  const inode = `ino:${ino.toString(16)} sdev:${kernelDevice(dev)} `;
  const wholeMount = new RegExp(`^fanotify (sdev:${kernelDevice(dev)}|mnt_id:)`, "m");
  return descriptors(pid).some((fd) => {
    const info = readInfo(`/proc/${pid}/fdinfo/${fd}`);
    return info.includes(inode) || wholeMount.test(info);
  });
}

/** None when the process has just ended. */
function descriptors(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fdinfo`);
  } catch {
    return [];
  }
}

/** A descriptor may be closed between the list and the look. */
function readInfo(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** st_dev to the kernel's dev_t (20 bits of minor), as fdinfo prints it. */
function kernelDevice(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xf_ff00);
  return ((major << 20) | minor).toString(16);
}
