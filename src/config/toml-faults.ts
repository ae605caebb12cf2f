/** What zod finds in a TOML file, in our words and at its place. */
import type { z } from "zod";
import { quoted } from "../log.ts";
import { didYouMean } from "./did-you-mean.ts";
import type { Findings } from "./findings.ts";
import type { Span } from "./span.ts";
import { laterRuleKeys, laterSettings, laterWhenBusy } from "./toml-later.ts";
import type { TomlPath, TomlPlaces } from "./toml-places.ts";
import { actorKeys, ruleKeys, settingsKeys } from "./toml-schema.ts";

type Issue = z.core.$ZodIssue;

export class TomlFaults {
  readonly #places: TomlPlaces;
  readonly #findings: Findings;
  readonly #values: unknown;

  /** @param values what the file says, of which `places` knows where it stands */
  constructor(values: unknown, places: TomlPlaces, findings: Findings) {
    this.#values = values;
    this.#places = places;
    this.#findings = findings;
  }

  tell(issues: readonly Issue[]): void {
    for (const issue of issues) this.#tellOne(issue, []);
  }

  #tellOne(issue: Issue, above: TomlPath): void {
    const path = [...above, ...(issue.path as TomlPath)];
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) this.#tellKey([...path, key], key);
    } else if (issue.code === "invalid_union") this.#tellUnion(issue.errors, path);
    else this.#error(path, this.#messageFor(issue, path));
  }

  /** Of the forms that a value can have, the one that it comes nearest to: a list is judged as a list. */
  #tellUnion(branches: readonly (readonly Issue[])[], path: TomlPath): void {
    const value = this.#valueAt(path);
    if (value === undefined) return this.#error(path, missing(path));
    const isOfThis = (branch: readonly Issue[]) =>
      !branch.some((issue) => isOfAnotherType(issue, value) && issue.path.length === 0);
    const nearest = branches.find(isOfThis);
    if (nearest === undefined) return this.#error(path, wrongType(path, value));
    for (const issue of nearest) this.#tellOne(issue, path);
  }

  #messageFor(issue: Issue, path: TomlPath): string {
    const value = this.#valueAt(path);
    if (value === undefined) return missing(path);
    switch (issue.code) {
      case "invalid_type":
        return wrongType(path, value);
      case "too_small":
        return value === ""
          ? `Empty text for ${nameOf(path)}: write one, or remove the key`
          : tooSmall(path, value);
      case "too_big":
        return `Value of ${nameOf(path)} is too large: ${String(issue.maximum)} is the most`;
      case "invalid_value":
        if (typeof value !== "string") return wrongType(path, value);
        return wrongChoice(path, value, issue.values.map(String));
      default:
        return `Cannot use this for ${nameOf(path)}: ${issue.message}`;
    }
  }

  #tellKey(path: TomlPath, key: string): void {
    const table = tableOf(path);
    const span = this.#places.key(path);
    if (span !== null) this.#findings.error(span, unknownKey(table, key));
  }

  #error(path: TomlPath, message: string): void {
    this.#findings.error(this.#spanOf(path), message);
  }

  /** What is missing is said at the head of its table. */
  #spanOf(path: TomlPath): Span {
    for (let length = path.length; length > 0; length--) {
      const span = this.#places.value(path.slice(0, length));
      if (span !== null) return span;
    }
    return { from: 0, length: 1 };
  }

  #valueAt(path: TomlPath): unknown {
    let value: unknown = this.#values;
    for (const key of path) value = (value as Record<string | number, unknown> | undefined)?.[key];
    return value;
  }
}

type Table = "top" | "facron" | "rule" | "actor";

function tableOf(path: TomlPath): Table {
  if (path.length === 1) return "top";
  if (path[0] === "facron") return "facron";
  return path.includes("actor") ? "actor" : "rule";
}

function isOfAnotherType({ code }: Issue, value: unknown): boolean {
  return code === "invalid_type" || (code === "invalid_value" && typeof value !== "string");
}

const examples: Readonly<Record<string, string>> = {
  watch: 'watch = "/srv/in"',
  on: 'on = "close_write"',
  run: 'run = ["/usr/local/bin/import", "{path}"]',
  include: 'include = ["/etc/facron.d/*.toml"]',
  user: 'user = "importer"',
  exe: 'exe = "/usr/bin/vim*"',
  comm: 'comm = "vim"',
  uid: 'uid = "www-data"',
  exclude: 'exclude = "*.part"',
  type: 'type = "file"',
  ignore_files: 'ignore_files = ".gitignore"',
};

const aSize = 'a size in quotes, e.g. "64MiB", or a number of bytes';

/** What may stand there, as a sentence says it. */
const kinds: Readonly<Record<string, string>> = {
  watch: "a path in quotes, or a list of them",
  on: "an event in quotes, or a list of them",
  run: "a list of program and arguments, each in quotes",
  include: "a list of paths, each in quotes",
  user: "a user's name in quotes, or a uid",
  actor: 'true or false, or a table, e.g. actor = { exe = "/usr/bin/vim*" }',
  exe: "a program in quotes, or a list of them",
  comm: "a process's name in quotes, or a list of them",
  uid: "a user's name in quotes, a uid, or a list of them",
  not: 'a table, e.g. not = { comm = "backup" }',
  max_running: "a whole number from 1 to 999999",
  poll_interval: 'a time in quotes, e.g. "2s" or "500ms"',
  exclude: "a pattern in quotes, or a list of them",
  type: '"file", "dir" or "symlink", or a list of them',
  min_size: aSize,
  max_size: aSize,
  ignore_files: "a name or a path in quotes, or a list of them",
  facron: "a table: write [facron] alone in a line",
  rule: "a list of tables: write [[rule]], with two brackets, above each rule",
};

const flags = ["recursive", "dot_directories", "follow_symlink", "only_directory"];
flags.push("clear_env", "require_access", "once");

function nameOf(path: TomlPath): string {
  return String(path.findLast((key) => typeof key === "string"));
}

function missing(path: TomlPath): string {
  const name = nameOf(path);
  return `Missing key ${name} in this rule: add it, e.g. ${examples[name] ?? `${name} = ...`}`;
}

/** `include` is a key of rules and of [facron]. */
function kindFor(path: TomlPath): string | undefined {
  const name = nameOf(path);
  return kinds[name === "include" && path[0] === "rule" ? "exclude" : name];
}

function wrongType(path: TomlPath, value: unknown): string {
  const name = nameOf(path);
  const isElement = typeof path.at(-1) === "number";
  if (name === "rule" && isElement)
    return "Unexpected value in rule: write [[rule]] above each rule";
  if (isElement && name === "uid")
    return `Unexpected ${kindOf(value)} in uid: each of its values is a user's name in quotes, or a uid`;
  if (isElement)
    return `Unexpected ${kindOf(value)} in ${name}: each of its values is a text in quotes`;
  const wanted =
    kindFor(path) ?? (flags.includes(name) ? "true or false, without quotes" : "a text in quotes");
  return `Unexpected ${kindOf(value)} for ${name}: it is ${wanted}`;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "list";
  if (typeof value === "string") return "text";
  if (typeof value === "object") return "table";
  return typeof value === "boolean" ? "true or false" : typeof value;
}

function tooSmall(path: TomlPath, value: unknown): string {
  const name = nameOf(path);
  if (!Array.isArray(value)) return `Value of ${name} is too small: it is ${kinds[name]}`;
  const example = name === "include" ? 'include = ["*.csv"]' : examples[name];
  return `Empty list for ${name}: write at least one, e.g. ${example ?? `${name} = [...]`}`;
}

function wrongChoice(path: TomlPath, written: string, choices: readonly string[]): string {
  const name = nameOf(path);
  if (name === "when_busy" && laterWhenBusy.includes(written))
    return `Cannot use ${quoted(written)} for when_busy: it is not built yet; write "queue" or "skip"`;
  if (name === "scope" && written === "mount")
    return 'Cannot use "mount" for scope: a mount does not report what is created, deleted or renamed; write "tree" or "filesystem"';
  const meant = didYouMean(written, choices);
  const cure =
    meant === null ? `use ${choices.map(quoted).join(", ")}` : `did you mean ${quoted(meant)}?`;
  return `Unknown ${name} ${quoted(written)}: ${cure}`;
}

function unknownKey(table: Table, key: string): string {
  if (table === "top") return unknownTable(key);
  if (table === "actor") return unknownActorKey(key);
  const [known, later] =
    table === "rule" ? [ruleKeys, laterRuleKeys] : [settingsKeys, laterSettings];
  const instead = later[key];
  if (instead !== undefined) return `Key ${quoted(key)} is not built yet: ${instead}`;
  const [other, place] = table === "rule" ? [settingsKeys, "[facron]"] : [ruleKeys, "a [[rule]]"];
  if (other.includes(key)) return `Key ${quoted(key)} does not belong here: put it under ${place}`;
  const meant = didYouMean(key, [...known, ...Object.keys(later)]);
  const cure = meant === null ? `the keys are ${known.join(", ")}` : `did you mean ${meant}?`;
  return `Unknown key ${quoted(key)}: ${cure}`;
}

function unknownActorKey(key: string): string {
  const meant = didYouMean(key, actorKeys);
  const cure = meant === null ? `they are ${actorKeys.join(", ")}` : `did you mean ${meant}?`;
  if (key === "not") return 'Unknown key "not" in not: give exe, comm and uid there';
  return `Unknown key ${quoted(key)} in actor: ${cure}`;
}

function unknownTable(key: string): string {
  if (key === "gate")
    return "Table [[gate]] is not built yet: this version decides nothing; remove it";
  if (settingsKeys.includes(key))
    return `Key ${quoted(key)} stands outside of a table: put it below [facron]`;
  if (ruleKeys.includes(key) || key in laterRuleKeys)
    return `Key ${quoted(key)} stands above the first [[rule]]: put it below one`;
  const meant = didYouMean(key, ["rule", "facron"]);
  const cure =
    meant === null
      ? "a file has [facron] and [[rule]]"
      : `did you mean ${meant === "rule" ? "[[rule]]" : "[facron]"}?`;
  return `Unknown table ${quoted(key)}: ${cure}`;
}
