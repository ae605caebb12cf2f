/** What zod finds in a TOML file, in our words and at its place. */
import type { z } from "zod";
import { quoted } from "../log.ts";
import { didYouMean } from "./did-you-mean.ts";
import type { Findings } from "./findings.ts";
import type { Span } from "./span.ts";
import { elementKinds, examples, flags, kinds } from "./toml-kinds.ts";
import type { TomlPath, TomlPlaces } from "./toml-places.ts";
import { type KeyedTable, unknownKey, unknownKeyIn, unknownTable } from "./toml-unknown-key.ts";
import { keysInTable } from "./toml-schema.ts";

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
      !branch.some((issue) => isOfAnotherType(issue, value));
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
    if (span !== null) this.#findings.error(span, messageForKey(table, key));
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

function messageForKey(table: string, key: string): string {
  if (table === "top") return unknownTable(key);
  const isInside = Object.hasOwn(keysInTable, table);
  return isInside ? unknownKeyIn(table, key) : unknownKey(table as KeyedTable, key);
}

/** "top", "facron", "rule", "gate", or a key of `keysInTable`. */
function tableOf(path: TomlPath): string {
  if (path.length === 1) return "top";
  const [above, key] = path[0] === "facron" ? ["facron", path[1]] : [String(path[0]), path[2]];
  const isInside = path.length > (above === "facron" ? 2 : 3);
  return isInside && Object.hasOwn(keysInTable, String(key)) ? String(key) : above;
}

function isOfAnotherType(issue: Issue, value: unknown): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === "invalid_union")
    return issue.errors.every((branch) => branch.some((one) => isOfAnotherType(one, value)));
  const { code } = issue;
  return code === "invalid_type" || (code === "invalid_value" && typeof value !== "string");
}

/** "watch"; "retry.times" for what is in a table whose keys others have, too. */
function nameOf(path: TomlPath): string {
  const name = String(path.findLast((key) => typeof key === "string"));
  const table = tableOf(path);
  if (path.includes("env") && name !== "env")
    return /^\w+$/.test(name) ? `env.${name}` : `env.${quoted(name)}`;
  return table === "batch" || table === "retry" ? `${table}.${name}` : name;
}

function missing(path: TomlPath): string {
  const name = nameOf(path);
  if (name === "retry.times")
    return "Missing key times in retry: add it, e.g. retry = { times = 3 }";
  const example = exampleFor(path) ?? `${name} = ...`;
  return `Missing key ${name} in this ${path[0]}: add it, e.g. ${example}`;
}

/** Some keys are others in rules and in gates. */
function exampleFor(path: TomlPath): string | undefined {
  const name = nameOf(path);
  if (name === "include") return 'include = ["*.csv"]';
  return (path[0] === "gate" ? examples[`gate.${name}`] : undefined) ?? examples[name];
}

/** Some keys are others in [facron], in rules and in gates. */
function kindFor(path: TomlPath): string | undefined {
  const name = nameOf(path);
  const ofGate = kinds[`gate.${name}`];
  if (path[0] === "gate" && ofGate !== undefined) return ofGate;
  return kinds[name === "include" && path[0] !== "facron" ? "exclude" : name];
}

function wrongType(path: TomlPath, value: unknown): string {
  const name = nameOf(path);
  const isElement = typeof path.at(-1) === "number";
  if ((name === "rule" || name === "gate") && isElement)
    return `Unexpected value in ${name}: write [[${name}]] above each ${name}`;
  if (isElement) {
    const kind = elementKinds[name] ?? "a text in quotes";
    return `Unexpected ${kindOf(value)} in ${name}: each of its values is ${kind}`;
  }
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
  const example = exampleFor(path) ?? `${name} = [...]`;
  return `Empty list for ${name}: write at least one, e.g. ${example}`;
}

function wrongChoice(path: TomlPath, written: string, choices: readonly string[]): string {
  const name = nameOf(path);
  if (name === "type" && written === "symlink")
    return 'Cannot use "symlink" for type in a gate: the kernel asks about the file that a link leads to; write "file"';
  if (name === "scope" && written === "mount")
    return 'Cannot use "mount" for scope: a mount does not report what is created, deleted or renamed; write "tree" or "filesystem"';
  const meant = didYouMean(written, choices);
  const cure =
    meant === null ? `use ${choices.map(quoted).join(", ")}` : `did you mean ${quoted(meant)}?`;
  return `Unknown ${name} ${quoted(written)}: ${cure}`;
}
