/** A small facron: prepares, runs a command, and says on stdout what the command inherited. */
import { fromLatin1 } from "../../ffi/bytes.ts";
import { fileLimitOf } from "../../ffi/limits.ts";
import { restoreFileLimit } from "../../src/action/file-limit.ts";
import { prepareForCommands } from "../../src/action/limits.ts";
import { runToEnd } from "./support.ts";

/** What one command saw. */
export interface Seen {
  readonly ending: unknown;
  readonly softLimit: number;
  /** SigBlk and SigIgn. */
  readonly signals: string[];
  /** Sorted; one char for one byte. */
  readonly environment: string[];
  /** Numbers, as `ls -m` shows them. */
  readonly descriptors: string;
}

export interface Inherited {
  readonly limitAtStart: { soft: number; hard: number };
  readonly seen: readonly Seen[];
}

const [outputPath] = process.argv.slice(2) as [string];

const script = `ulimit -S -n; grep -E 'Sig(Blk|Ign)' /proc/self/status; base64 -w 0 /proc/$$/environ; echo; ls -m /proc/$$/fd; exit 3`;

const limitAtStart = fileLimitOf(0)!;
restoreFileLimit();
prepareForCommands();
const seen: Seen[] = [];
for (const word of ["text", "\xff"]) {
  const { ending, output } = await runToEnd(
    ["/bin/sh", "-c", script, "sh", word].map(fromLatin1),
    outputPath,
  );
  const lines = output.split("\n") as [string, string, string, string, string];
  const [softLimit, blocked, ignored, environ, descriptors] = lines;
  const environment = Buffer.from(environ, "base64").toString("latin1").split("\0").sort();
  seen.push({
    ending,
    softLimit: Number(softLimit),
    signals: [blocked, ignored],
    environment,
    descriptors,
  });
}
const inherited: Inherited = { limitAtStart, seen };
console.log(JSON.stringify(inherited));
