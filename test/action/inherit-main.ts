/** A small facron: prepares, runs one command both ways, and says on stdout what the command inherited. */
import { fromLatin1 } from "../../ffi/bytes.ts";
import { fileLimitOf, prepareForCommands } from "../../src/action/limits.ts";
import { MemoryLog, runToEnd } from "./support.ts";

/** What one command saw. */
export interface Seen {
  readonly ending: unknown;
  readonly softLimit: number;
  /** SigBlk and SigIgn. */
  readonly signals: string[];
  /** Sorted; one char for one byte. */
  readonly environment: string[];
}

export interface Inherited {
  readonly limitAtStart: { soft: number; hard: number };
  readonly restored: { given: number; soft: number };
  readonly log: readonly string[];
  readonly seen: readonly Seen[];
}

const [outputPath, maxRunning] = process.argv.slice(2) as [string, string];

const script = `ulimit -S -n; grep -E 'Sig(Blk|Ign)' /proc/self/status; base64 -w 0 /proc/$$/environ; exit 3`;

const limitAtStart = fileLimitOf(0)!;
const log = new MemoryLog();
const restored = prepareForCommands(log, Number(maxRunning));
const seen: Seen[] = [];
for (const word of ["text", "\xff"]) {
  const { ending, output } = await runToEnd(
    ["/bin/sh", "-c", script, "sh", word].map(fromLatin1),
    outputPath,
  );
  const [softLimit, blocked, ignored, environ] = output.split("\n") as [
    string,
    string,
    string,
    string,
  ];
  const environment = Buffer.from(environ, "base64").toString("latin1").split("\0").sort();
  seen.push({ ending, softLimit: Number(softLimit), signals: [blocked, ignored], environment });
}
const inherited: Inherited = { limitAtStart, restored, log: log.lines, seen };
console.log(JSON.stringify(inherited));
