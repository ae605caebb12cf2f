/** Configuration files become rules: each read once, in its dialect, with all that they include. */
import { readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "./odd-paths.ts";
import { pathBytes, pathText } from "../../ffi/bytes.ts";
import { ConfigError, type ConfigProblem } from "../errors.ts";
import { quoted } from "../log.ts";
import type { Gate } from "../rule/gate.ts";
import type { Rule } from "../rule/rule.ts";
import { type Format, formatNamed, formatOf } from "./format.ts";
import { syntaxMistakeInPath } from "./pattern-syntax.ts";
import { gatesIn, namedIn, uniquelyNamed } from "./names.ts";
import { readConfiguration } from "./read.ts";
import type { FormatName, Include, LoadedFile, Settings } from "./source.ts";
import { Places, problemOfFile } from "./span.ts";
import { distrustedCommands } from "./distrusted-commands.ts";
import type { GivenActions } from "./toml-given.ts";
import { distrustOf, forgetTrust } from "./trust.ts";

export interface LoadOptions {
  /** The uid of a user, for programs that run as it; null if there is none. */
  readonly uidOf?: (user: string) => number | null;
  /** Absolute; files and relative paths in them start there. */
  readonly cwd: string;
  /** Null: by each file's name and text. */
  readonly format?: FormatName | null;
}

export interface Configuration {
  /** Those of all files, in the order of the files; each name is there once. */
  readonly rules: readonly Rule[];
  /** The same of gates: the first that is meant decides. */
  readonly gates: readonly Gate[];
  readonly files: readonly LoadedFile[];
  readonly settings: Settings;
  /** Odd, but no reason to stop. */
  readonly warnings: readonly ConfigProblem[];
  /** Absolute paths, also patterns, whose change can change the rules. */
  readonly dependsOn: readonly string[];
  /** Errors in files without which the others go on: tables of incron's users. */
  readonly leftOut?: readonly ConfigProblem[];
}

/**
 * The rules in `files`, each a file or a directory of files, in the dialects that they are written in.
 *
 * @throws {ConfigError} with everything that is wrong in all of them, also when one can't be read
 */
export function loadConfiguration(files: readonly string[], options: LoadOptions): Configuration {
  forgetTrust();
  const loading = new Loading(options);
  for (const file of files) loading.add(file);
  return loading.end();
}

/** The file that asks for another. */
interface Including {
  readonly file: string;
  readonly places: Places;
  /** The files that include each other down to it, by their real paths. */
  readonly way: readonly string[];
  readonly defaults: GivenActions | undefined;
}

class Loading {
  readonly #options: LoadOptions;
  readonly #files: LoadedFile[] = [];
  readonly #warnings: ConfigProblem[] = [];
  readonly #errors: ConfigProblem[] = [];
  readonly #dependsOn = new Set<string>();
  /** By real path: how each file came to be read. */
  readonly #known = new Set<string>();
  #settings: Settings = {};

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  add(file: string): void {
    const path = resolve(this.#options.cwd, file);
    this.#dependsOn.add(path);
    const inDirectory = file === "" ? null : filesIn(path);
    if (inDirectory === null) return this.#load(file, []);
    if (inDirectory.length === 0) this.#errors.push(problemOfFile(file, emptyDirectory(file)));
    this.#dependsOn.add(`${path}/*`);
    for (const name of inDirectory) this.#load(`${file.replace(/\/$/, "")}/${name}`, []);
  }

  /** @throws {ConfigError} */
  end(): Configuration {
    this.#refuseTwins();
    this.#errors.push(...distrustedCommands(this.#files, this.#options.uidOf ?? (() => null)));
    if (this.#errors.length > 0) throw new ConfigError(this.#errors);
    return {
      rules: uniquelyNamed(this.#files),
      gates: gatesIn(this.#files),
      files: this.#files,
      settings: this.#settings,
      warnings: this.#warnings,
      dependsOn: [...this.#dependsOn],
    };
  }

  /** @param way the files that include each other down to this one, by their real paths */
  #load(file: string, way: readonly string[], defaults?: GivenActions): void {
    const { cwd } = this.#options;
    try {
      const path = resolve(cwd, file);
      const real = realOf(path);
      if (this.#known.has(real)) return; // named twice, or by two patterns: its rules are there
      this.#known.add(real);
      const bytes = readConfiguration(file, cwd);
      this.#refuseIfOthersCanWrite(file, path);
      const format = this.#formatOf(file, bytes, { isIncluded: way.length > 0 });
      const warn = (warning: ConfigProblem) => void this.#warnings.push(warning);
      const outer = defaults === undefined ? {} : { defaults };
      const parsed = format.parse({ file, bytes, cwd, warn, ...outer });
      const { rules, gates, includes, settings } = parsed;
      if (rules.length + gates.length + includes.length === 0)
        warn(problemOfFile(file, noRules(file, format)));
      this.#settings = { ...this.#settings, ...settings };
      this.#files.push({ file, bytes, format: format.name, rules, gates });
      const places = new Places({ file, bytes });
      const from = { file, places, way: [...way, real], defaults: parsed.defaults };
      for (const include of includes) this.#include(include, from);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#errors.push(...error.problems);
    }
  }

  /** What the command line says is about the files that it names, not about what they include. */
  #formatOf(file: string, bytes: Uint8Array, { isIncluded }: { isIncluded: boolean }): Format {
    const format = isIncluded ? null : this.#options.format;
    return format ? formatNamed(format) : formatOf(resolve(this.#options.cwd, file), bytes);
  }

  #include(include: Include, { file, places, way, defaults }: Including): void {
    const { pattern, span } = include;
    const refuse = (message: string) => void this.#errors.push(places.problem(span, message));
    const mistake = isPattern(pattern) ? syntaxMistakeInPath(pattern) : null;
    if (mistake !== null) return refuse(mistake.message);
    const start = resolve(this.#options.cwd, dirname(file));
    const path = resolve(start, pattern);
    this.#dependsOn.add(path);
    const isDirectory = filesIn(path) !== null;
    if (isDirectory) this.#dependsOn.add(`${path}/*`);
    const found = matchesOf(pattern, start);
    if (found.length === 0) {
      const message = `No file matches ${quoted(pattern)}: nothing is included; correct it, or add such a file`;
      if (isPattern(pattern) || isDirectory) this.#warnings.push(places.problem(span, message));
      else
        refuse(`Cannot include ${quoted(pattern)}: no such file; create it, or correct the path`);
    }
    for (const one of found) {
      if (isPattern(pattern) && realOf(one) === way.at(-1)) continue; // "*.toml" means the others
      if (way.includes(realOf(one))) {
        refuse(
          `Cannot include ${quoted(one)}: it includes this file, in a circle; remove one of the two`,
        );
      } else this.#load(one, way, defaults);
    }
  }

  /** A root daemon must not do what anybody else can write down for it. */
  #refuseIfOthersCanWrite(file: string, path: string): void {
    const why = distrustOf(path);
    if (why === null) return;
    throw new ConfigError([problemOfFile(file, `Cannot trust ${quoted(file)}: ${why}`)]);
  }

  #refuseTwins(): void {
    const seen = new Map<string, { readonly kind: string; readonly loaded: LoadedFile }>();
    for (const loaded of this.#files) {
      const places = new Places(loaded);
      for (const { kind, name, places: at } of namedIn(loaded)) {
        const other = seen.get(name);
        if (other === undefined) seen.set(name, { kind, loaded });
        else {
          const where = other.loaded === loaded ? "" : ` in ${other.loaded.file}`;
          const message = `${other.kind} ${quoted(name)} is there already${where}: a name stands for one rule or gate; give this one another`;
          this.#errors.push(places.problem(at.name ?? at.head, message));
        }
      }
    }
  }
}

function noRules(file: string, { name }: Format): string {
  const examples = {
    facron: "add a line, e.g. /srv/in IN_CLOSE_WRITE /usr/bin/import $$",
    incron: "add a line, e.g. /srv/in IN_CLOSE_WRITE /usr/bin/import $@/$#",
    toml: "add a [[rule]] or a [[gate]]",
  };
  return `No rules in ${quoted(file)}: nothing is watched; ${examples[name]}`;
}

function emptyDirectory(directory: string): string {
  return `Cannot read ${quoted(directory)}: it is a directory without files; name a file, or put one into it`;
}

/** The files of a directory that are meant to be read, in order; null if it is no directory. */
export function filesIn(path: string): string[] | null {
  if (!isDirectory(path)) return null;
  const names = readdirSync(Buffer.from(pathBytes(path)), {
    withFileTypes: true,
    encoding: "buffer",
  }).filter((entry) => !entry.isDirectory());
  return names
    .map(({ name }) => pathText(name))
    .filter(isMeant)
    .sort();
}

/** False also for what can't be looked at: reading it says why. */
function isDirectory(path: string): boolean {
  try {
    return statSync(Buffer.from(pathBytes(path))).isDirectory();
  } catch {
    return false;
  }
}

/** Not what editors and packages leave behind. */
function isMeant(name: string): boolean {
  return !/^[.#]|~$|\.(swp|bak|orig|rej|dpkg-\w+|rpm(save|new|orig))$/.test(name);
}

/** The files that a path or pattern stands for; a directory stands for those in it. */
function matchesOf(pattern: string, start: string): string[] {
  const path = resolve(start, pattern);
  if (!isPattern(pattern)) {
    const inDirectory = filesIn(path);
    if (inDirectory !== null) return inDirectory.map((name) => `${path}/${name}`);
    return statSync(Buffer.from(pathBytes(path)), { throwIfNoEntry: false }) ? [path] : [];
  }
  const glob = new Bun.Glob(path.slice(1));
  const found = [...glob.scanSync({ cwd: "/", absolute: true, onlyFiles: true })];
  return found.filter((one) => isMeant(basename(one))).sort();
}

function isPattern(pattern: string): boolean {
  return /[*?[{]/.test(pattern);
}

function realOf(path: string): string {
  try {
    return pathText(realpathSync(Buffer.from(pathBytes(path)), { encoding: "buffer" }));
  } catch {
    return path; // /dev/stdin, or not there: reading it says so
  }
}
