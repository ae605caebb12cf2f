/**
 * Checks who may import whom: one line for each violation, exit code 1 on any.
 *
 *     bun scripts/check-imports.ts [ROOT]
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/**
 * The arrows of the architecture. A room is a directory of src/ or one file of it; it imports itself,
 * what its arrow leads to, and what the arrows of the rooms there lead to.
 */
const arrows: Readonly<Record<string, readonly string[]>> = {
  "src/main.ts": [
    "src/cli/",
    "src/action/exec-helper.ts",
    "src/action/file-limit.ts",
    "src/gate/guard-process.ts",
  ],
  "src/cli/": ["src/daemon/"],
  "src/daemon/": ["src/config/", "src/action/", "src/gate/", "src/reader/", "src/journal/"],
  "src/reader/": ["src/watch/", "src/rule/", "src/output/", "src/family/", "src/gate/messages.ts"],
  "src/config/": ["src/rule/"],
  "src/action/": [
    "src/rule/",
    "src/reader/trigger.ts",
    "src/gate/messages.ts",
    "src/family/family.ts",
    "src/output/",
    "src/journal/",
  ],
  "src/journal/": ["src/reader/trigger.ts"],
  "src/gate/": ["src/rule/", "src/output/", "src/family/"],
  "src/watch/": ["src/rule/", "src/output/json-text.ts"],
  "src/output/": [],
  "src/rule/": [],
  "src/family/": [],
};

/** Words that every room speaks; they know nothing but each other. */
const words = [
  "src/event.ts",
  "src/errors.ts",
  "src/log.ts",
  "src/environment.ts",
  "src/open-files.ts",
];

/** Who may call Linux. Pure byte helpers (`bytesOnly`) are everybody's. */
const callers = [
  "src/watch/",
  "src/reader/",
  "src/output/writer.ts",
  "src/action/",
  "src/journal/",
  "src/gate/",
  "src/family/",
  "src/daemon/",
  "src/cli/",
];
const bytesOnly = "ffi/bytes.ts";
const ground = "ffi/";
const theFfiFile = "ffi/libc.ts";

interface SourceFile {
  /** From the root: "src/cli/run.ts". */
  readonly path: string;
  readonly imports: readonly Import[];
  readonly isBarrel: boolean;
}

interface Import {
  /** As it is written. */
  readonly specifier: string;
  /** From the root, or null for a package. */
  readonly target: string | null;
}

/** @returns one line for each violation, in the order of the files */
export function checkImports(root: string): string[] {
  const patterns = ["src/**/*.ts", "ffi/**/*.ts"];
  const paths = patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root })]);
  const files = paths.sort().map((path) => read(root, path));
  return [...files.flatMap((file) => faultsOf(root, file)), ...cyclesOf(files)];
}

function faultsOf(root: string, file: SourceFile): string[] {
  const faults = file.imports.flatMap((one) => {
    const fault = faultOf(root, file.path, one);
    return fault === null ? [] : [`${file.path}: imports ${one.specifier}: ${fault}`];
  });
  if (file.isBarrel) faults.push(`${file.path}: only re-exports: no barrel files`);
  if (roomOf(file.path) === null) {
    faults.push(`${file.path}: is in no room that scripts/check-imports.ts knows`);
  }
  return faults;
}

/** What is wrong with one import, or null. */
function faultOf(root: string, path: string, { specifier, target }: Import): string | null {
  if (target === null) {
    if (specifier !== "bun:ffi" || path === theFfiFile) return null;
    return `only ${theFfiFile} imports bun:ffi`;
  }
  if (!existsSync(join(root, target))) return "no such file (is .ts missing?)";
  if (isIn(path, ground)) return isIn(target, ground) ? null : "ffi/ imports itself only";
  if (target === bytesOnly || words.includes(target)) return null;
  if (isIn(target, ground)) {
    return isInAny(path, callers) ? null : `only ${callers.join(", ")} import ffi/ calls`;
  }
  const room = roomOf(path);
  const allowed = room === null ? [] : reachableFrom(room);
  if (isInAny(target, allowed)) return null;
  return `${room ?? path} imports only ${["itself", ...allowed.slice(1)].join(", ")}`;
}

/** The room that a file is in; "words" and the ground are rooms too. */
function roomOf(path: string): string | null {
  if (isIn(path, ground)) return ground;
  if (words.includes(path)) return "words";
  return Object.keys(arrows).find((room) => isIn(path, room)) ?? null;
}

/** The room itself and everything that arrows lead to from it. */
function reachableFrom(room: string): string[] {
  const reached = [room];
  for (const place of reached) {
    const next = (arrows[place] ?? []).filter((other) => !reached.includes(other));
    reached.push(...next);
  }
  return reached;
}

function isIn(path: string, place: string): boolean {
  return place.endsWith("/") ? path.startsWith(place) : path === place;
}

function isInAny(path: string, places: readonly string[]): boolean {
  return places.some((place) => isIn(path, place));
}

/** One line for each cycle of files, said from its first file on. Imports of types count. */
function cyclesOf(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start !== -1) cycles.push([...way.slice(start), path].join(" -> "));
    if (start !== -1 || done.has(path)) return;
    for (const { target } of byPath.get(path)?.imports ?? []) {
      if (target !== null) visit(target, [...way, path]);
    }
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  return cycles.map((cycle) => `${cycle}: files import each other in a circle`);
}

/** An import or export at the start of a line, over several lines too; `bun fmt` sees to the form. */
const statement = /^(?:import|export)\b(?:[^"';]*?\bfrom)?\s*["']([^"']+)["'][^;\n]*;/gm;
const dynamicImport = /\bimport\(\s*["']([^"']+)["']/g;
const comment = /^\s*\/\*[^]*?\*\/|(?:^|\s)\/\/.*$/gm;

function read(root: string, path: string): SourceFile {
  const source = readFileSync(join(root, path), "utf8").replace(comment, "");
  const found = [statement, dynamicImport].flatMap((pattern) => [...source.matchAll(pattern)]);
  const imports = found.map(([, specifier]) => {
    const isFile = specifier!.startsWith(".");
    const target = isFile ? normalize(join(dirname(path), specifier!)) : null;
    return { specifier: specifier!, target };
  });
  return { path, imports, isBarrel: isBarrel(source) };
}

/** Nothing is left without the imports and the `export { ... };` of what was imported. */
function isBarrel(source: string): boolean {
  const rest = source.replace(statement, "").replace(/^export (?:type )?\{[^}]*\};/gm, "");
  return rest.trim() === "";
}

if (import.meta.main) {
  const faults = checkImports(process.argv[2] ?? dirname(import.meta.dir));
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
}
