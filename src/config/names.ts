/** What rules and gates are called, over all files: one name each. */
import { basename } from "./odd-paths.ts";
import type { Gate } from "../rule/gate.ts";
import type { Rule } from "../rule/rule.ts";
import type { LoadedFile } from "./source.ts";

/** The rules and gates to which their user gave a name, from top to bottom. */
export function namedIn({ rules, gates }: LoadedFile) {
  const all = [
    ...rules.map(({ rule, ...rest }) => ({ kind: "Rule", name: rule.name, ...rest })),
    ...gates.map(({ gate, ...rest }) => ({ kind: "Gate", name: gate.name, ...rest })),
  ];
  const named = all.filter(({ isNamed }) => isNamed);
  return named.sort((a, b) => a.places.head.from - b.places.head.from);
}

/** Rules named after files of one name in two directories get the whole path into their names. */
export function uniquelyNamed(loaded: readonly LoadedFile[]): Rule[] {
  const named = naming(loaded);
  return loaded.flatMap(({ file, rules }) =>
    rules.map(({ rule, isNamed }) => (isNamed ? rule : named(rule, file))),
  );
}

export function gatesIn(loaded: readonly LoadedFile[]): Gate[] {
  const named = naming(loaded);
  return loaded.flatMap(({ file, gates }) =>
    gates.map(({ gate, isNamed }) => (isNamed ? gate : named(gate, file))),
  );
}

/** @returns what gives one that is named after its place a name that no other file's has */
function naming(
  loaded: readonly LoadedFile[],
): <Of extends { readonly name: string }>(one: Of, file: string) => Of {
  const files = new Map<string, number>();
  for (const { file } of loaded) files.set(basename(file), (files.get(basename(file)) ?? 0) + 1);
  return (one, file) => {
    if (files.get(basename(file)) === 1) return one;
    return { ...one, name: file.toWellFormed() + one.name.slice(basename(file).length) };
  };
}
