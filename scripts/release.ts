/**
 * Packs dist/facron-VERSION-linux-x64.tar.gz: the binary, its unit, an example configuration, README
 * and LICENSE. The same commit gives the same bytes.
 *
 *     bun scripts/release.ts [--all]      --all: arm64 and the musl ones too
 */
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { build, versionOf } from "./build.ts";

const repository = dirname(import.meta.dir);
const dist = join(repository, "dist");
const platforms = ["x64", "arm64", "x64-musl", "arm64-musl"] as const;

/** Beside the binary, which is called `facron`. */
const otherFiles = [
  "scripts/package/facron.service",
  "scripts/package/facron.conf",
  "README.md",
  "LICENSE",
];

/** A file of the tarball: its name there is the last part of its path. */
export interface PackedFile {
  readonly path: string;
  readonly mode: number;
}

/**
 * A tarball with `files` in the directory `name`: sorted, owned by 0, all of one time.
 *
 * @param seconds that time, since 1970
 * @returns its sha256
 */
export function pack(
  tarball: string,
  name: string,
  { files, seconds }: { files: readonly PackedFile[]; seconds: number },
): string {
  const scratch = mkdtempSync(join(dirname(tarball), ".release-"));
  try {
    const directory = join(scratch, name);
    mkdirSync(directory, { mode: 0o755 });
    for (const { path, mode } of files) copyInto(directory, path, mode);
    const tar = join(scratch, "tar");
    const owner = ["--owner=0", "--group=0", "--numeric-owner"];
    const same = ["--format=ustar", "--sort=name", `--mtime=@${seconds}`, ...owner];
    run(["tar", ...same, "-C", scratch, "-cf", tar, name]);
    run(["sh", "-c", 'exec gzip -n -9 < "$1" > "$2"', "sh", tar, tarball]);
    return createHash("sha256").update(readFileSync(tarball)).digest("hex");
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function copyInto(directory: string, path: string, mode: number): void {
  const copy = join(directory, path.slice(path.lastIndexOf("/") + 1));
  copyFileSync(path, copy);
  chmodSync(copy, mode);
}

/** Build and pack for one platform. @returns the line to print */
function release(platform: string): string {
  const name = `facron-${versionOf()}-linux-${platform}`;
  const scratch = mkdtempSync(join(dist, ".release-"));
  try {
    const binary = join(scratch, "facron");
    build({ outfile: binary, target: `bun-linux-${platform}` });
    const others = otherFiles.map((path) => ({ path: join(repository, path), mode: 0o644 }));
    const files = [{ path: binary, mode: 0o755 }, ...others];
    const tarball = join(dist, `${name}.tar.gz`);
    const sum = pack(tarball, name, { files, seconds: secondsOfLastCommit() });
    return `${sum}  ${relative(process.cwd(), tarball)}`;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The time of what is packed. @throws {Error} where git does not know it */
function secondsOfLastCommit(): number {
  const given = process.env["SOURCE_DATE_EPOCH"];
  if (given !== undefined) return Number(given);
  const log = Bun.spawnSync(["git", "-C", repository, "log", "-1", "--format=%ct"]);
  if (log.success) return Number(log.stdout.toString());
  const reason = log.stderr.toString().trim();
  throw new Error(`Cannot tell the time of the last commit: ${reason}; set SOURCE_DATE_EPOCH`);
}

function run(command: string[]): void {
  const { success, stderr } = Bun.spawnSync(command);
  if (!success) throw new Error(`${command.join(" ")}: ${stderr.toString().trim()}`);
}

/** One line for each tarball, made or not. @returns the exit code */
function main(): number {
  const { all } = parseArgs({ options: { all: { type: "boolean", default: false } } }).values;
  const wanted = all ? platforms : [process.arch === "arm64" ? "arm64" : "x64"];
  mkdirSync(dist, { recursive: true });
  let missing = 0;
  for (const platform of wanted) {
    try {
      console.log(release(platform));
    } catch (error) {
      missing++;
      console.error(`Not packed for linux-${platform}: ${messageOf(error)}`);
    }
  }
  if (hasUncommittedChanges()) console.error("Note: packed with changes that are not committed");
  return missing > 0 ? 1 : 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function hasUncommittedChanges(): boolean {
  const { stdout } = Bun.spawnSync(["git", "-C", repository, "status", "--porcelain"]);
  return stdout.toString() !== "";
}

if (import.meta.main) {
  try {
    process.exitCode = main();
  } catch (error) {
    console.error(messageOf(error)); // an unknown option
    process.exitCode = 2;
  }
}
