/** Where the benchmark works: the compiled C half, a tmpfs for the files, another place for FIFOs. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { compileC } from "../c-program.ts";
import { defer } from "./cleanup.ts";

export interface Workspace {
  /** bench-floor.c, compiled. */
  readonly floor: string;
  /** The program that action tests start. */
  readonly stamp: string;
  /** bench-gate.c, compiled. */
  readonly gateFloor: string;
  /** A copy of the built binary, so that a build meanwhile changes nothing; undefined without one. */
  readonly facron: string | undefined;
  /** Configuration files and logs; on a disk, so that programs in it can be run. */
  readonly scratch: string;
  /** FIFOs: in memory, and not on the mount that is watched. */
  readonly pipes: string;
  /** The files that are watched: on tmpfs. */
  readonly files: string;
  /** `files` is a mount of our own: a watch on the whole mount sees nothing but ours. */
  readonly ownMount: boolean;
}

const sharedMemory = "/dev/shm";

const binary = resolve(import.meta.dir, "../../dist/facron");

/** Make the workspace; all of it goes when the run ends. */
export function makeWorkspace(): Workspace {
  const scratch = temporaryDirectory(tmpdir());
  const pipes = temporaryDirectory(existsSync(sharedMemory) ? sharedMemory : tmpdir());
  const mounted = mountTmpfs(join(scratch, "files"));
  return {
    floor: compileC("bench-floor.c", join(scratch, "bench-floor")),
    stamp: compileC("bench-floor.c", join(scratch, "stamp"), ["-static", "-DSTAMP"]),
    gateFloor: compileC("bench-gate.c", join(scratch, "bench-gate")),
    facron: copyOf(binary, join(scratch, "facron")),
    scratch,
    pipes,
    files: mounted ?? pipes,
    ownMount: mounted !== undefined,
  };
}

let directories = 0;

/** A new empty directory on the tmpfs. */
export function freshDirectory(workspace: Workspace): string {
  directories += 1;
  const path = join(workspace.files, `watched-${directories}`);
  mkdirSync(path);
  return path;
}

/** rm -rf: an unlink of 600,000 names is slow from JavaScript. */
export async function removeTree(path: string): Promise<void> {
  await Bun.spawn(["rm", "-rf", path]).exited;
}

function temporaryDirectory(parent: string): string {
  const path = mkdtempSync(join(parent, "facron-bench-"));
  defer(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** @returns the mount point, or undefined without CAP_SYS_ADMIN */
function mountTmpfs(path: string): string | undefined {
  mkdirSync(path);
  // 600,000 names in one directory: more inodes than the default of a small machine.
  const mount = ["mount", "-t", "tmpfs", "-o", "size=8g,nr_inodes=4m", "facron-bench", path];
  if (!Bun.spawnSync(mount).success) return undefined;
  // Lazy: a consumer that was killed may still be on its way out.
  defer(() => void Bun.spawnSync(["umount", "-l", path]));
  return path;
}

function copyOf(program: string, copy: string): string | undefined {
  if (!existsSync(program)) return undefined;
  copyFileSync(program, copy);
  return copy;
}
