/** The options by which every command is told where the rules are. */
import type { ArgsDef } from "citty";
import { resolve } from "node:path";
import { accountNames, findAccount } from "../../ffi/users.ts";
import { formatNames } from "../config/format.ts";
import { defaultConf } from "../config/incron-conf.ts";
import { loadIncron } from "../config/incron-installation.ts";
import { type Configuration, loadConfiguration } from "../config/load.ts";
import { merged } from "../config/merge.ts";
import type { FormatName } from "../config/source.ts";
import { UsageError } from "../errors.ts";
import { quoted } from "../log.ts";
import { betweenWords } from "./arguments.ts";

export const defaultConfiguration = "/etc/facron.conf";

export const configurationArgs = {
  config: { type: "string", alias: ["c", "conf"], valueHint: "FILE" },
  format: { type: "string", valueHint: formatNames.join("|") },
  incron: { type: "boolean" },
  "incron-conf": { type: "string", valueHint: "FILE" },
} satisfies ArgsDef;

export const configurationLists = { config: betweenWords };

/** As citty has them. */
interface Given {
  readonly config: string | undefined;
  readonly format: string | undefined;
  readonly incron: boolean | undefined;
  readonly "incron-conf": string | undefined;
}

/**
 * What reads the configuration, at the start and at each reload.
 *
 * @param words files that are named without an option
 */
export function configurationLoader(
  given: Given,
  { cwd, words = [] }: { readonly cwd: string; readonly words?: readonly string[] },
): () => Configuration {
  const files = namedFiles(given, words);
  const format = formatGiven(given.format);
  const incronConf = given["incron-conf"];
  const usesIncron = givesIncron(given);
  let before: Configuration | null = null;
  return () => {
    const parts: Configuration[] = [];
    if (files.length > 0) parts.push(loadConfiguration(files, { cwd, format, uidOf }));
    if (usesIncron) {
      before = loadIncron({
        cwd,
        incronConf: incronConf ?? null,
        before,
        findAccount,
        accountNames,
      });
      parts.push(before);
    }
    return merged(parts);
  };
}

/** What tells this configuration from others: the files that are named, absolute. */
export function configurationFiles(given: Given, { cwd }: { readonly cwd: string }): string[] {
  const incron = givesIncron(given) ? [given["incron-conf"] ?? defaultConf] : [];
  return [...namedFiles(given, []), ...incron].map((file) => resolve(cwd, file));
}

function namedFiles(given: Given, words: readonly string[]): readonly string[] {
  const named = [...(given.config?.split(betweenWords) ?? []), ...words];
  return named.length > 0 || givesIncron(given) ? named : [defaultConfiguration];
}

function givesIncron({ incron, "incron-conf": incronConf }: Given): boolean {
  return incron === true || incronConf !== undefined;
}

function uidOf(user: string): number | null {
  return findAccount(user)?.uid ?? null;
}

export function formatGiven(name: string | undefined): FormatName | null {
  if (name === undefined) return null;
  const known = formatNames.find((one) => one === name);
  if (known !== undefined) return known;
  throw new UsageError(`Unknown format ${quoted(name)}: use ${formatNames.join(", ")}`);
}
