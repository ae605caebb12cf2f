/** Filesystems for tests that need a particular one. All of them need root. */
import { mkdirSync, readFileSync } from "node:fs";
import { findTool } from "./requires.ts";

/** Mounted until the end of its scope, or until the temporary directory that it lies in goes. */
export class Mount implements Disposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  [Symbol.dispose](): void {
    unmountBelow(this.path);
  }
}

/** @param options as mount -o has them: "size=1m,nr_inodes=100" */
export function mountTmpfs(path: string, options = ""): Mount {
  return mount(path, ["-t", "tmpfs", ...(options === "" ? [] : ["-o", options]), "facron-test"]);
}

/** A new ext4, btrfs or xfs in a sparse file beside `path`, with options of its mkfs. Needs e2fsprogs, btrfs-progs or xfsprogs. */
export function mountImage(
  path: string,
  type: "ext4" | "btrfs" | "xfs",
  options: readonly string[] = [],
): Mount {
  const image = `${path}.${type}`;
  run(["truncate", "--size=320M", image]); // mkfs.xfs takes no less than 300 MB
  run([findTool(`mkfs.${type}`) ?? `mkfs.${type}`, "-q", ...options, image]);
  return mount(path, ["-o", "loop", image]);
}

/** overlayfs with default options; its directories are made beside `path`. */
export function mountOverlay(path: string): Mount {
  const [lower, upper, work] = ["lower", "upper", "work"].map((name) => `${path}.${name}`);
  for (const directory of [lower!, upper!, work!]) mkdirSync(directory, { recursive: true });
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  return mount(path, ["-t", "overlay", "-o", options, "facron-test"]);
}

/** FUSE: a directory seen through bindfs, `PATH.source` unless one is given. */
export function mountBindfs(path: string, source = `${path}.source`): Mount {
  for (const directory of [path, source]) mkdirSync(directory, { recursive: true });
  run(["bindfs", source, path]);
  return new Mount(path);
}

/**
 * Unmount what is mounted at `path` or below it, the last first. A filesystem that is still in use is let
 * go as soon as it no longer is, and takes with it what is mounted on it: nobody reaches a mount below a
 * FUSE mount whose server was killed.
 */
export function unmountBelow(path: string): void {
  for (const mountPoint of mountsBelow(path).reverse()) Bun.spawnSync(["umount", mountPoint]);
  for (;;) {
    const [first] = mountsBelow(path);
    if (first === undefined) return;
    const { success, stderr } = Bun.spawnSync(["umount", "--lazy", first]);
    // Another run may sweep the same at this moment.
    if (!success && mountPoints().includes(first))
      throw new Error(`Cannot unmount ${first}: ${stderr.toString().trim()}`);
  }
}

function mountsBelow(path: string): string[] {
  return mountPoints().filter((mount) => mount === path || mount.startsWith(`${path}/`));
}

function mount(path: string, args: readonly string[]): Mount {
  mkdirSync(path, { recursive: true });
  run(["mount", ...args, path]);
  return new Mount(path);
}

/** Field 5 of /proc/self/mountinfo, where blanks and backslashes are octal (proc_pid_mountinfo(5)). */
function mountPoints(): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n");
  return lines.map((line) => unescapeOctal(line.split(" ")[4]!));
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}

function run(command: string[]): void {
  const { success, stderr } = Bun.spawnSync(command);
  if (!success) throw new Error(`${command.join(" ")}: ${stderr.toString().trim()}`);
}
