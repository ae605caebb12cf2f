/** Keys and tables that there are not, or not there: where they belong, or what was probably meant. */
import { quoted } from "../log.ts";
import { didYouMean } from "./did-you-mean.ts";
import { keysInTable, keysOfTables } from "./toml-schema.ts";

export type KeyedTable = keyof typeof keysOfTables;

const titles: Readonly<Record<KeyedTable, string>> = {
  rule: "a [[rule]]",
  gate: "a [[gate]]",
  facron: "[facron]",
};

const tables = Object.keys(titles) as KeyedTable[];

/** What a rule has and a gate can't have, and what to do about it. */
const notInGates: Readonly<Record<string, string>> = {
  ignore_files:
    "a gate decides without opening a file, and others could be made to wait for that one; list the patterns in exclude",
  run: 'its command decides; write ask = ["/usr/local/bin/may-open", "{path}"]',
  shell: 'its command decides; write ask = ["/bin/sh", "-c", "..."]',
  backend: "only fanotify holds processes until something is decided; remove it",
};

/** @param key that `table` does not have */
export function unknownKey(table: KeyedTable, key: string): string {
  const reason = table === "gate" && Object.hasOwn(notInGates, key) ? notInGates[key] : undefined;
  if (reason !== undefined) return `Cannot use ${key} in a gate: ${reason}`;
  const other = tables.find((one) => keysOfTables[one].includes(key));
  if (other !== undefined)
    return `Key ${quoted(key)} does not belong here: put it under ${titles[other]}`;
  const meant = didYouMean(key, keysOfTables[table]);
  const cure =
    meant === null
      ? `facron schema lists those of ${titles[table]}; correct or remove it`
      : `did you mean ${meant}?`;
  return `Unknown key ${quoted(key)}: ${cure}`;
}

/** @param table a key of `keysInTable` */
export function unknownKeyIn(table: string, key: string): string {
  const known = keysInTable[table]!;
  const meant = didYouMean(key, known);
  const cure = meant === null ? `they are ${known.join(", ")}` : `did you mean ${meant}?`;
  if (key === "not") return 'Unknown key "not" in not: give exe, comm and uid there';
  return `Unknown key ${quoted(key)} in ${table}: ${cure}`;
}

export function unknownTable(key: string): string {
  if (keysOfTables.facron.includes(key))
    return `Key ${quoted(key)} stands outside of a table: put it below [facron]`;
  const above = (["rule", "gate"] as const).find((one) => keysOfTables[one].includes(key));
  if (above !== undefined)
    return `Key ${quoted(key)} stands above the first [[${above}]]: put it below one`;
  const meant = didYouMean(key, ["rule", "gate", "facron"]);
  const title = meant === "facron" ? "[facron]" : `[[${meant}]]`;
  const cure =
    meant === null ? "a file has [facron], [[rule]] and [[gate]]" : `did you mean ${title}?`;
  return `Unknown table ${quoted(key)}: ${cure}`;
}
