/** `--dry-run`: the exact command in the log, and nothing else. */
import { utf8 } from "../../ffi/bytes.ts";
import type { Log } from "../log.ts";
import { shellWords } from "../rule/shell-words.ts";

export interface DryRun {
  /** `rule "x"` */
  readonly title: string;
  /** Null: as facron itself. */
  readonly user: string | null;
  readonly argv: readonly Uint8Array[];
}

/** `rule "x": would run /bin/echo 'a b'`, or `rule "x": would run as alice: /bin/echo 'a b'` */
export function logDryRun(log: Log, { title, user, argv }: DryRun): void {
  const who = user === null ? "" : ` as ${shellWords([utf8(user)])}:`;
  log.info(`${title}: would run${who} ${shellWords(argv)}`);
}
