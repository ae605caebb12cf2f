/** /etc/incron.conf: where incron's tables are, and who may have one. See incron.conf(5). */
import { existsSync } from "node:fs";
import { latin1, lossyText, fromLatin1 } from "../../ffi/bytes.ts";
import { quoted } from "../log.ts";
import { didYouMean } from "./did-you-mean.ts";
import { Findings } from "./findings.ts";
import { readConfiguration } from "./read.ts";
import type { Source } from "./source.ts";

export interface IncronConf {
  readonly system_table_dir: string;
  readonly user_table_dir: string;
  readonly allowed_users: string;
  readonly denied_users: string;
}

export const defaultConf = "/etc/incron.conf";

const defaults: IncronConf = {
  system_table_dir: "/etc/incron.d",
  user_table_dir: "/var/spool/incron",
  allowed_users: "/etc/incron.allow",
  denied_users: "/etc/incron.deny",
};

/** For incrond and incrontab alone. */
const foreign: ReadonlySet<string> = new Set(["lockfile_dir", "lockfile_name", "editor"]);

/**
 * The settings in `file`, or the defaults if it is null and there is no /etc/incron.conf.
 *
 * @throws {ConfigError} if it cannot be read
 */
export function readIncronConf(
  file: string | null,
  { cwd, warn }: Required<Pick<Source, "cwd" | "warn">>,
): IncronConf {
  if (file === null && !existsSync(defaultConf)) return defaults;
  const name = file ?? defaultConf;
  const bytes = readConfiguration(name, cwd);
  const findings = new Findings({ file: name, bytes, cwd, warn });
  const found: Record<string, string> = {};
  let from = 0;
  for (const line of latin1(bytes).split("\n")) {
    const setting = settingIn(line, from, findings);
    if (setting !== null) found[setting.key] = setting.value;
    from += line.length + 1;
  }
  return { ...defaults, ...found };
}

/** Null if there is none that matters here. */
function settingIn(
  line: string,
  from: number,
  findings: Findings,
): { key: string; value: string } | null {
  if (/^[ \t]*(#|\r?$)/.test(line)) return null;
  const match = /^([ \t]*)([^\s=]+)[ \t]*=[ \t]*(.*?)[ \t\r]*$/.exec(line);
  if (match === null) {
    const span = { from, length: line.length };
    findings.warning(span, "Line is not read: a line is KEY = VALUE, or a comment after #");
    return null;
  }
  const [, indent = "", written = "", value = ""] = match;
  const key = lossyText(fromLatin1(written));
  const path = lossyText(fromLatin1(value));
  if (foreign.has(key)) return null;
  const span = { from: from + indent.length, length: written.length };
  if (!Object.hasOwn(defaults, key)) {
    findings.warning(span, unknown(key));
    return null;
  }
  if (path.startsWith("/")) return { key, value: path.replace(/(?<=.)\/+$/, "") };
  findings.warning(
    span,
    `Setting ${key} is not used: ${quoted(path)} is no absolute path; start it with a slash`,
  );
  return null;
}

function unknown(key: string): string {
  const meant = didYouMean(key, [...Object.keys(defaults), ...foreign]);
  const cure = meant === null ? "it is not used; leave it out" : `did you mean ${meant}?`;
  return `Unknown setting ${quoted(key)}: ${cure}`;
}
