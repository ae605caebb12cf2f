/** A table as TOML that means the same, comments kept. */
import { latin1, textOrNull } from "../../ffi/bytes.ts";
import { ConfigError, type ConfigProblem } from "../errors.ts";
import { namesOf } from "../event.ts";
import type { Gate } from "../rule/gate.ts";
import type { Rule, WatchPath } from "../rule/rule.ts";
import type { Command } from "../rule/template.ts";
import { escapedPath } from "./glob-path.ts";
import type { LoadedFile, PlacedGate, PlacedRule } from "./source.ts";
import { Places, type Span } from "./span.ts";
import { templateText } from "./toml-template.ts";
import { policyLines, surroundingsLines, text } from "./toml-write.ts";

/** @throws {ConfigError} about what TOML can't say */
export function convertToToml(loaded: LoadedFile): string {
  return new Conversion(loaded).text();
}

/** Bytes that are no UTF-8, where TOML needs it. */
class NotText extends Error {}

class Conversion {
  readonly #loaded: LoadedFile;
  readonly #text: string;
  readonly #errors: ConfigProblem[] = [];

  constructor(loaded: LoadedFile) {
    this.#loaded = loaded;
    this.#text = latin1(loaded.bytes);
  }

  text(): string {
    const places = new Places(this.#loaded);
    const placedByLine = new Map<number, PlacedRule | PlacedGate>();
    for (const placed of [...this.#loaded.rules, ...this.#loaded.gates])
      placedByLine.set(this.#lineStart(placed.places.head), placed);
    const blocks: string[] = [];
    let start = 0;
    for (const line of this.#text.split("\n")) {
      const placed = placedByLine.get(start);
      blocks.push(placed === undefined ? commentOf(line) : this.#block(placed, places));
      start += line.length + 1;
    }
    if (this.#errors.length > 0) throw new ConfigError(this.#errors);
    return `${blocks
      .join("\n")
      .replace(/\n{3,}/g, "\n\n")
      .trim()}\n`;
  }

  #lineStart({ from }: Span): number {
    return this.#text.lastIndexOf("\n", from - 1) + 1;
  }

  #block(placed: PlacedRule | PlacedGate, places: Places): string {
    const isGate = "gate" in placed;
    try {
      const keys = isGate
        ? keysOfGate(placed.gate, this.#written(placed))
        : keysOf(placed.rule, this.#alternatives(placed));
      return `[[${isGate ? "gate" : "rule"}]]\n${keys.join("\n")}\n`;
    } catch (error) {
      if (!(error instanceof NotText)) throw error;
      const cure = "keep this line in a table, and include that from the TOML";
      this.#errors.push(
        places.problem(
          placed.places.head,
          `Cannot convert this ${isGate ? "gate" : "rule"}: TOML is UTF-8, and it has other bytes; ${cure}`,
        ),
      );
      return "";
    }
  }

  /** As the mask has them; a table of incron has one, and need not have names. */
  #alternatives(placed: PlacedRule): string[] {
    if (this.#loaded.format === "incron")
      return placed.rule.condition
        .flatMap(({ groups }) => groups.flatMap(namesOf))
        .map((name) => `IN_${name.toUpperCase()}`);
    return this.#written(placed);
  }

  #written({ places }: PlacedRule | PlacedGate): string[] {
    const { from, length } = places.on;
    return this.#text
      .slice(from, from + length)
      .split(",")
      .map((one) => one.replace(/\|$/, "")) // a table may have one to spare
      .filter((one) => one !== "");
  }
}

/** What is no rule: comments, and lines that are disabled because they begin with a blank. */
function commentOf(line: string): string {
  const text = readable(line.replace(/\r$/, "").replace(/^\u00ef\u00bb\u00bf/, "")).trimEnd();
  if (text.trim() === "") return "";
  return text.trimStart().startsWith("#") ? text.trimStart() : `# ${text.trimStart()}`;
}

/** A comment need not be exact: what TOML can't have in one is left out. */
function readable(text: string): string {
  const bytes = Buffer.from(text, "latin1");
  return bytes.toString("utf8").replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "\ufffd");
}

function keysOf(rule: Rule, on: readonly string[]): string[] {
  const { name, watch, command, runAs, policy, surroundings, once } = rule;
  const [first] = watch;
  return [
    `name = ${text(name)}`,
    `watch = ${listOrOne(watch.map(watchText))}`,
    ...(first!.recursive ? ["recursive = true"] : []),
    ...(first!.skipsDotDirectories === true ? ["dot_directories = false"] : []),
    ...(first!.refusesSymlink === true ? ["follow_symlink = false"] : []),
    ...(first!.refusesFile === true ? ["only_directory = true"] : []),
    `on = ${listOrOne(on)}`,
    ...(command === null ? [] : [`run = ${wordsText(command)}`]),
    ...(runAs === undefined ? [] : [`user = ${text(runAs.user)}`]),
    ...(runAs?.clearsEnvironment === true ? ["clear_env = true"] : []),
    ...(runAs?.needsAccess === true ? ["require_access = true"] : []),
    ...(policy === undefined ? [] : policyLines(policy, wordsText)),
    ...(surroundings === undefined ? [] : surroundingsLines(surroundings)),
    ...(once === true ? ["once = true"] : []),
  ];
}

/** Of a table: it asks, and says nothing of how. */
function keysOfGate({ name, watch, decision }: Gate, on: readonly string[]): string[] {
  return [
    `name = ${text(name)}`,
    `watch = ${listOrOne(watch.map(watchText))}`,
    `on = ${listOrOne(on)}`,
    ...(decision.kind === "ask" ? [`ask = ${wordsText(decision.command)}`] : []),
  ];
}

function wordsText({ words }: Command): string {
  return `[${words.map((word) => text(templateText(word, textOf))).join(", ")}]`;
}

function watchText({ path, isGlob }: WatchPath): string {
  return isGlob === true ? textOf(path) : escapedPath(textOf(path));
}

function textOf(bytes: Uint8Array): string {
  const text = textOrNull(bytes);
  if (text === null) throw new NotText();
  return text;
}

function listOrOne(texts: readonly string[]): string {
  return texts.length === 1 ? text(texts[0]!) : `[${texts.map(text).join(", ")}]`;
}
