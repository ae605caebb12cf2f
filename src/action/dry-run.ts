/** `--dry-run`: the exact command in the log, and nothing else. */
import { type Log, quoted } from "../log.ts";
import type { Rule } from "../rule/rule.ts";
import { shellWords } from "../rule/shell-words.ts";

export function logDryRun(log: Log, { name, runAs }: Rule, argv: readonly Uint8Array[]): void {
  const who = runAs === undefined ? "" : ` as ${quoted(runAs.user)}`;
  log.info(`rule ${quoted(name)}: would run${who}: ${shellWords(argv)}`);
}
