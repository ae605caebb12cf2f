/** Small C programs that say what the system's headers say. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Every header that declares something which ffi/ uses. */
export const systemHeaders = [
  "dirent.h",
  "errno.h",
  "fcntl.h",
  "grp.h",
  "poll.h",
  "pwd.h",
  "signal.h",
  "spawn.h",
  "syslog.h",
  "time.h",
  "unistd.h",
  "sys/epoll.h",
  "sys/eventfd.h",
  "sys/inotify.h",
  "sys/ioctl.h",
  "sys/mman.h",
  "sys/prctl.h",
  "sys/resource.h",
  "sys/socket.h",
  "sys/stat.h",
  "sys/statfs.h",
  "sys/syscall.h",
  "sys/timerfd.h",
  "sys/uio.h",
  "sys/wait.h",
  "linux/capability.h",
  "linux/close_range.h",
  "linux/cn_proc.h",
  "linux/connector.h",
  "linux/fanotify.h",
  "linux/magic.h",
  "linux/netlink.h",
  "linux/stat.h",
];

/** The beginning of a program. */
export function cPrelude(includes: readonly string[] = systemHeaders): string {
  const all = ["stddef.h", "stdio.h", ...includes];
  return ["#define _GNU_SOURCE", ...all.map((header) => `#include <${header}>`)].join("\n");
}

/** Compile a C file of this directory. @returns `output`. @throws {Error} with the compiler's words */
export function compileC(name: string, output: string, flags: readonly string[] = []): string {
  if (Bun.which("cc") === null) {
    throw new Error(`Cannot compile "${name}": no cc (apt-get install gcc libc6-dev)`);
  }
  run(["cc", "-O2", ...flags, "-o", output, resolve(import.meta.dir, name)]);
  return output;
}

/** Compile and run a C program with cc. @returns its stdout. @throws {Error} with the compiler's words */
export function runC(source: string): string {
  const directory = mkdtempSync(join(tmpdir(), "facron-c-"));
  try {
    const program = join(directory, "program");
    writeFileSync(`${program}.c`, source);
    run(["cc", "-std=gnu11", "-Wall", "-Werror", "-o", program, `${program}.c`]);
    return run([program]);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function run(command: string[]): string {
  const { success, stdout, stderr } = Bun.spawnSync(command);
  if (!success) throw new Error(`${command.join(" ")}:\n${stderr.toString().trim()}`);
  return stdout.toString();
}
