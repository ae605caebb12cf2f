/** The command line of the benchmark. */

export interface Options {
  /** Names of the sections to run, in the order of the list. */
  readonly sections: readonly string[];
  readonly runs: number;
  readonly idleSeconds: number;
  /** How long stress takes. */
  readonly minutes: number;
  /** How long each measurement of gate takes. */
  readonly seconds: number;
  readonly json: boolean;
}

/** What was typed can't be understood; the message is for the user. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function usage(sections: readonly string[]): string {
  return `Usage: bun run bench [SECTION...] [--runs N] [--idle-seconds N] [--minutes N] [--seconds N] [--json]

Measures facron (dist/facron) beside its peers and the C floor, as root for fanotify.
Sections: ${sections.join(", ")}; all of them unless some are named.
durable, gate, proofs and stress are run only when they are named.

  --runs N          rounds over all contenders (3)
  --idle-seconds N  how long idle lasts (60)
  --minutes N       how long stress lasts, on all filesystems together (10)
  --seconds N       how long gate measures each contender in each run (60)
  --json            print the numbers as JSON at the end
`;
}

/** @param usual sections that are meant when none is named. @throws {UsageError} */
export function parseOptions(
  argv: readonly string[],
  { known, usual }: { known: readonly string[]; usual: readonly string[] },
): Options {
  const words = [...argv];
  const sections: string[] = [];
  let options = { runs: 3, idleSeconds: 60, minutes: 10, seconds: 60, json: false };
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "--runs") options = { ...options, runs: count(word, words.shift()) };
    else if (word === "--idle-seconds")
      options = { ...options, idleSeconds: count(word, words.shift()) };
    else if (word === "--minutes") options = { ...options, minutes: count(word, words.shift()) };
    else if (word === "--json") options = { ...options, json: true };
    else if (word === "--seconds") options = { ...options, seconds: count(word, words.shift()) };
    else if (known.includes(word)) sections.push(word);
    else
      throw new UsageError(`Unknown section or option "${word}": sections are ${known.join(", ")}`);
  }
  return { ...options, sections: sections.length > 0 ? sections : usual };
}

function count(option: string, text: string | undefined): number {
  if (text === undefined || !/^[1-9]\d{0,5}$/.test(text)) {
    throw new UsageError(
      `Cannot use "${text ?? ""}" for ${option}: expected a number of at least 1`,
    );
  }
  return Number(text);
}
