/** A fresh directory for one test, on a tmpfs if there is one. */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { atTestEnd } from "./at-test-end.ts";
import { unmountBelow } from "./mount.ts";

const TMPFS_MAGIC = 0x0102_1994; // <linux/magic.h>

/** Goes away, with what is mounted below it, at the end of its scope or of the test. */
export class TempDir implements Disposable {
  readonly path: string;
  #removed = false;

  constructor(parent: string) {
    sweep(parent);
    this.path = mkdtempSync(join(parent, `facron-test-${process.pid}-`));
    atTestEnd(() => this[Symbol.dispose]());
  }

  /** The path of something in it. */
  join(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** Write a file, making the directories above it. @returns its path */
  write(name: string, content: string | Uint8Array = "", { mode = 0o644 } = {}): string {
    const path = this.join(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, mode); // whatever the umask is
    return path;
  }

  /** Write a shell script that can be run. @returns its path */
  script(name: string, body: string): string {
    return this.write(name, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }

  /** Make a directory and those above it. @returns its path */
  mkdir(name: string): string {
    mkdirSync(this.join(name), { recursive: true });
    return this.join(name);
  }

  [Symbol.dispose](): void {
    if (this.#removed) return;
    this.#removed = true;
    unmountBelow(this.path);
    remove(this.path);
  }
}

/** @param on "disk" is where the system keeps its temporary files, whatever filesystem that is */
export function tempDir({ on = "tmpfs" }: { on?: "tmpfs" | "disk" } = {}): TempDir {
  return new TempDir(on === "disk" ? tmpdir() : memoryDirectory());
}

let memoryDirectoryFound: string | undefined;

function memoryDirectory(): string {
  const places = [tmpdir(), "/dev/shm", `/run/user/${process.geteuid?.()}`];
  return (memoryDirectoryFound ??= places.find(isUsableTmpfs) ?? tmpdir());
}

/** Tests run scripts in it, and Docker mounts /dev/shm with noexec. */
function isUsableTmpfs(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return statfsSync(path).type === TMPFS_MAGIC && runsScripts(path);
  } catch {
    return false;
  }
}

function runsScripts(parent: string): boolean {
  const directory = mkdtempSync(join(parent, `facron-test-${process.pid}-`));
  try {
    const script = join(directory, "script");
    writeFileSync(script, "#!/bin/sh\n", { mode: 0o755 });
    return Bun.spawnSync([script]).success;
  } catch {
    return false; // EACCES: noexec
  } finally {
    remove(directory);
  }
}

const swept = new Set<string>();

/** Take away what runs left that were killed, or whose filter (`bun test -t`) let no test end a block. */
function sweep(parent: string): void {
  if (swept.has(parent)) return;
  swept.add(parent);
  for (const name of readdirSync(parent)) {
    const pid = /^facron-test-(\d+)-/.exec(name)?.[1];
    const path = join(parent, name);
    if (pid === undefined || existsSync(`/proc/${pid}`) || !isOurs(path)) continue;
    unmountBelow(path);
    remove(path);
  }
}

/** Also false when another run has just taken it away. */
function isOurs(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.uid === process.geteuid?.();
}

/** rm(1) keeps names byte for byte; a test may have taken the permissions of a directory away. */
function remove(path: string): void {
  for (let attempt = 0; attempt < 3; attempt++) {
    const { success, stderr } = Bun.spawnSync(["rm", "-rf", "--one-file-system", path]);
    if (success) return;
    if (attempt === 2) throw new Error(`Cannot remove ${path}: ${stderr.toString()}`);
    Bun.spawnSync(["chmod", "-R", "u+rwx", path]);
  }
}
