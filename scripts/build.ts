/**
 * Builds dist/facron: one file that needs neither Bun nor node_modules.
 *
 *     bun scripts/build.ts [--target=bun-linux-{x64,arm64}[-musl]] [--outfile=PATH]
 */
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";

export interface BuildOptions {
  /** The repository; tests give a small one of their own. */
  readonly root?: string;
  /** Default: dist/facron. */
  readonly outfile?: string;
  /** Default: this machine. */
  readonly target?: string;
}

const repository = dirname(import.meta.dir);

/**
 * Build, unless the same inputs gave the file that is there. @returns the one line to print
 *
 * @throws {Error} with the bundler's words
 */
export function build({ root = repository, outfile, target }: BuildOptions = {}): string {
  const binary = outfile ?? join(root, "dist/facron");
  const shown = relative(process.cwd(), binary);
  const inputs = inputsDigest(root, target);
  if (readStamp(binary) === stampOf(binary, inputs)) return `${shown}: up to date`;
  const start = performance.now();
  compile(root, binary, target);
  writeFileSync(stampPath(binary), stampOf(binary, inputs)!);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  return `${shown}: ${(statSync(binary).size / 2 ** 20).toFixed(1)} MiB in ${seconds} s`;
}

/** Into a directory of its own, then renamed: never a half-written binary, never "text file busy". */
function compile(root: string, binary: string, target: string | undefined): void {
  mkdirSync(dirname(binary), { recursive: true });
  const scratch = mkdtempSync(join(dirname(binary), ".build-"));
  try {
    const made = join(scratch, basename(binary));
    const { success, stderr } = Bun.spawnSync(
      [process.execPath, "build", ...entryPoints(root), ...flags(root, made, target)],
      { cwd: root, stdout: "ignore", stderr: "pipe" },
    );
    if (!success) throw new Error(`Cannot build ${binary}:\n${stderr.toString().trim()}`);
    renameSync(made, binary);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The program, then its threads: a Worker runs in the binary only if its file is an entry point. */
function entryPoints(root: string): string[] {
  const threads = [...new Bun.Glob("src/*/worker.ts").scanSync({ cwd: root })].sort();
  return ["src/main.ts", ...threads].map((path) => `./${path}`);
}

/**
 * Measured on Bun 1.4.5: bytecode takes a third off the start-up. Names are kept and the source map
 * is built in, so that a stack trace says file, line and function; that costs 0.2 MiB of file and no
 * time that can be measured. What lies in the working directory of a root daemon must not be read,
 * hence the autoload flags.
 */
function flags(root: string, outfile: string, target: string | undefined): string[] {
  return [
    "--compile",
    "--bytecode",
    "--format=esm",
    "--minify-whitespace",
    "--minify-syntax",
    "--sourcemap=linked",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--no-compile-autoload-tsconfig",
    "--no-compile-autoload-package-json",
    `--define=FACRON_VERSION=${JSON.stringify(versionOf(root))}`,
    ...(target === undefined ? [] : [`--target=${target}`]),
    `--outfile=${outfile}`,
  ];
}

export function versionOf(root: string = repository): string {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
}

/** The last is npm's account of what is installed. */
const otherInputs = [
  "package.json",
  "tsconfig.json",
  "scripts/build.ts",
  "node_modules/.package-lock.json",
];

/** Contents and not times: a checkout or a copy may bring changed files with old times. */
function inputsDigest(root: string, target = "host"): string {
  const hash = createHash("sha256").update(`${Bun.version} ${Bun.revision} ${target}\n`);
  const sources = ["src/**/*", "ffi/**/*"].flatMap((pattern) => [
    ...new Bun.Glob(pattern).scanSync({ cwd: root }),
  ]);
  const files = [...sources.sort(), ...otherInputs];
  for (const file of files) hash.update(`${file}\n`).update(contentOf(join(root, file)));
  return hash.digest("hex");
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.from("none"); // Bun installed the packages, or nobody did
  }
}

function stampPath(binary: string): string {
  return join(dirname(binary), `.${basename(binary)}.stamp`);
}

/** What made the binary, and the binary itself: one that was put there by hand is not ours. */
function stampOf(binary: string, inputs: string): string | null {
  const stat = statSync(binary, { throwIfNoEntry: false });
  return stat === undefined ? null : `${inputs} ${stat.size} ${stat.mtimeMs}\n`;
}

function readStamp(binary: string): string | undefined {
  try {
    return readFileSync(stampPath(binary), "utf8");
  } catch {
    return undefined;
  }
}

function main(): number {
  try {
    const options = { target: { type: "string" }, outfile: { type: "string" } } as const;
    const { target, outfile } = parseArgs({ options }).values;
    const where = outfile === undefined ? {} : { outfile: resolve(outfile) };
    console.log(build({ ...where, ...(target === undefined ? {} : { target }) }));
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}

if (import.meta.main) process.exitCode = main();
