/** `--dry-run`: the exact command in the log, and nothing else. */
import { utf8 } from "../../ffi/bytes.ts";
import { type Log, quoted } from "../log.ts";
import type { Rule } from "../rule/rule.ts";
import { shellWords } from "../rule/shell-words.ts";

/** `rule "x": would run /bin/echo 'a b'`, or `rule "x": would run as alice: /bin/echo 'a b'` */
export function logDryRun(log: Log, { name, runAs }: Rule, argv: readonly Uint8Array[]): void {
  const who = runAs === undefined ? "" : ` as ${shellWords([utf8(runAs.user)])}:`;
  log.info(`rule ${quoted(name)}: would run${who} ${shellWords(argv)}`);
}
