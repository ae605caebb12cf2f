/** Rules in a form that a golden file can hold and a reader can check. */
import { latin1, textOrNull, utf8 } from "../../ffi/bytes.ts";
import { parseFacronTable } from "../../src/config/facron-table.ts";
import { ConfigError, type ConfigProblem } from "../../src/errors.ts";
import { namesOf } from "../../src/event.ts";
import { type Gate, gateNamesOf } from "../../src/rule/gate.ts";
import type { Filter } from "../../src/rule/filter.ts";
import { defaultPolicy, type Policy } from "../../src/rule/policy.ts";
import type { Alternative, Rule } from "../../src/rule/rule.ts";
import type { Word } from "../../src/rule/template.ts";

/** UTF-8 text as it is, other bytes one char each. */
type Readable = string | { readonly latin1: string };

export function readableRule(rule: Rule) {
  return {
    name: rule.name,
    watch: rule.watch.map(({ path, ...rest }) => ({ path: readable(path), ...rest })),
    backend: rule.backend,
    ...(rule.pollIntervalMs === undefined ? {} : { pollIntervalMs: rule.pollIntervalMs }),
    ...(rule.scope === undefined ? {} : { scope: rule.scope }),
    condition: rule.condition.map(readableAlternative),
    command: rule.command?.words.map(readableWord) ?? null,
    ...(rule.runAs === undefined ? {} : { runAs: rule.runAs }),
    ...(rule.policy === undefined ? {} : { policy: readablePolicy(rule.policy) }),
    ...(rule.surroundings === undefined ? {} : { surroundings: rule.surroundings }),
    ...(rule.once === undefined ? {} : { once: rule.once }),
    ...(rule.actor === undefined ? {} : { actor: rule.actor }),
    ...(rule.filter === undefined ? {} : { filter: readableFilter(rule.filter) }),
  };
}

export function readableGate(gate: Gate) {
  const { watch, events, filter, decision, ...rest } = gate;
  return {
    ...rest,
    watch: watch.map(({ path, ...one }) => ({ path: readable(path), ...one })),
    events: gateNamesOf(events),
    ...(filter === undefined ? {} : { filter: readableFilter(filter) }),
    decision:
      decision.kind === "ask"
        ? { ...decision, command: decision.command.words.map(readableWord) }
        : decision,
  };
}

/** What differs from the defaults. */
function readablePolicy(policy: Policy) {
  const given = Object.entries(policy).filter(
    ([key, value]) => value !== defaultPolicy[key as keyof Policy],
  );
  const { onFailure, ...rest } = Object.fromEntries(given) as Partial<Policy>;
  return { ...rest, ...(onFailure && { onFailure: onFailure.words.map(readableWord) }) };
}

function readableFilter({ include, exclude, ignoreFiles, ...rest }: Filter) {
  return {
    ...(include === undefined ? {} : { include: include.map(readable) }),
    ...(exclude === undefined ? {} : { exclude: exclude.map(readable) }),
    ...rest,
    ...(ignoreFiles === undefined ? {} : { ignoreFiles: ignoreFiles.map(readable) }),
  };
}

/** "create|close_nowrite+close_write children": groups joined by "|", events of one group by "+". */
export function readableAlternative({ groups, children, directories }: Alternative): string {
  const all = groups.map((group) => sortedNames(group).join("+")).join("|");
  return `${all}${children ? " children" : ""}${directories ? " directories" : ""}`;
}

/** By the alphabet: the order of the table in event.ts is none of a dialect's business. */
export function sortedNames(events: number): string[] {
  return namesOf(events).sort();
}

function readableWord(word: Word): unknown {
  const parts = word.map((part) => ("literal" in part ? readable(part.literal) : part));
  return parts.length === 1 ? parts[0] : parts;
}

function readable(bytes: Uint8Array): Readable {
  return textOrNull(bytes) ?? { latin1: latin1(bytes) };
}

export function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? utf8(text) : text;
}

/** The rules and warnings of a table; the file is `t.conf` in `/cwd`. */
export function parse(text: string | Uint8Array, { file = "t.conf", cwd = "/cwd" } = {}) {
  const warnings: ConfigProblem[] = [];
  const warn = (warning: ConfigProblem) => void warnings.push(warning);
  const { rules } = parseFacronTable({ file, bytes: bytesOf(text), cwd, warn });
  return { rules: rules.map(({ rule }) => rule), warnings };
}

/** The problems of a table that must have some. */
export function problemsIn(text: string | Uint8Array): readonly ConfigProblem[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error(`no problem found in ${JSON.stringify(text)}`);
}

/** The condition of the one rule `/f MASK`, readable. */
export function conditionOf(mask: string): string[] {
  return parse(`/f ${mask}\n`).rules[0]!.condition.map(readableAlternative);
}
