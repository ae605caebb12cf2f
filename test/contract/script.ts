/**
 * Scripts: what is done to a directory, and the lines that facron gives for it. One file, one test.
 *
 *     # The claim, which names the test. More lines say why, with the number.
 *     watch: -r -e create,close_write D     (options and paths of `facron watch`)
 *     on: fanotify: FAN_ONDIR is fanotify's (the only backend that it speaks of, and why)
 *     not on: btrfs with inotify: the kernel's rule that makes it impossible
 *     before:
 *       mkdir D                             (shell, before facron starts)
 *     acts:
 *       echo text >D/f                      (shell, line by line: facron has told all of one line
 *     Output:                                before the next one is run)
 *       create D/f
 *       close_write D/f
 *
 * In place of `watch:` there may be `table:` with a facron table. Events without a prefix become IN_
 * names when inotify is tested. Its lines are the rules: `create D/f @1,3` met the first and the third.
 * Or `toml:`, the same in TOML, in the file `table.toml`; `backend` is added to each rule. A rule without
 * a name is told as that of `watch:` is: not at all.
 *
 * Acts and outputs may take turns. `pause` stops facron (SIGSTOP), `resume` lets it go on, `reload`
 * reloads the file `table`; what happens while it is paused waits in the kernel's queue and may be
 * merged there. `at once:` in place of `acts:` runs its lines as fast as the shell can; then each line
 * of output is there once, in whatever order, and whether the kernel or a look told it does not matter.
 *
 * A line of output is `EVENT PATH`: the paths are those of the records, relative to the directory that
 * the script runs in; a directory ends in a slash; bytes that are not printable ASCII are `\xNN`. Then,
 * if there is such a thing: `from PATH`, `@RULES`, `(SYNTHETIC)`. A record with several events is several
 * lines, in the order of a file's life: so a record that fanotify merged compares with inotify's many.
 * `[fanotify]` behind a line limits it to that backend, `[not poll]` to the others, `?` before it says
 * that it may come or not.
 * `Log:` behind an output lists what stderr must have said by then (parts of lines).
 */
export type BackendName = "fanotify" | "filesystem" | "inotify" | "poll";

export interface Script {
  readonly claim: string;
  readonly watch: readonly string[] | null;
  readonly table: readonly string[];
  readonly toml: readonly string[];
  readonly limits: readonly Limit[];
  readonly before: readonly string[];
  readonly rounds: readonly Round[];
}

/** Where the script does not run. */
export interface Limit {
  /** Null: on every one. */
  readonly filesystems: readonly string[] | null;
  /** With which backends it does not. */
  readonly backends: readonly BackendName[];
  readonly reason: string;
}

export interface Round {
  readonly acts: readonly string[];
  readonly atOnce: boolean;
  readonly output: readonly ExpectedLine[];
  readonly log: readonly string[];
}

export interface ExpectedLine {
  readonly text: string;
  /** Those that tell it. */
  readonly backends: readonly BackendName[];
  readonly isOptional: boolean;
}

/** "filesystem" is fanotify with `scope = "filesystem"`: what is said of fanotify holds for it too. */
export const backends: readonly BackendName[] = ["fanotify", "filesystem", "inotify", "poll"];

/** Where the kernel reports a whole filesystem (test/watch/filesystem-scope.test.ts has the others). */
export const wholeFilesystems = ["tmpfs", "ext4", "xfs", "btrfs"];

/** What holds for all scripts with a table. */
const noPolledTables = "a table has no word for polling";

/** @throws {Error} about the first line that makes no sense */
export function parseScript(text: string): Script {
  const sections = sectionsOf(text);
  const linesOf = (name: string) =>
    sections.filter((one) => one.name === name).flatMap((one) => one.lines);
  const watch = sections.find(({ name }) => name === "watch")?.rest.split(/\s+/) ?? null;
  const table = linesOf("table");
  const toml = linesOf("toml");
  if ([watch !== null, table.length > 0, toml.length > 0].filter(Boolean).length !== 1)
    throw new Error("One of watch:, table: and toml: is needed");
  return {
    claim: claimOf(text),
    watch,
    table,
    toml,
    limits: sections.flatMap(limitOf),
    before: linesOf("before"),
    rounds: roundsOf(sections),
  };
}

/** Why the script does not run there, or null. */
export function whyNot(script: Script, filesystem: string, backend: BackendName): string | null {
  const limit = script.limits.find(
    (one) => (one.filesystems?.includes(filesystem) ?? true) && one.backends.includes(backend),
  );
  if (backend === "poll" && script.table.length > 0) return noPolledTables;
  if (backend === "filesystem") {
    if (!wholeFilesystems.includes(filesystem)) return "the kernel does not report it as a whole";
    if (!isRecursive(script)) return "nothing in it is recursive: it is as with fanotify";
  }
  return limit?.reason ?? null;
}

function isMeant(named: string, backend: BackendName): boolean {
  return named === backend || (named === "fanotify" && backend === "filesystem");
}

function isRecursive({ watch, toml }: Script): boolean {
  return watch?.includes("-r") === true || toml.some((line) => line.startsWith("recursive = true"));
}

interface Section {
  readonly name: string;
  /** What stands behind the colon. */
  readonly rest: string;
  readonly lines: string[];
}

const names = [
  "watch",
  "table",
  "toml",
  "on",
  "not on",
  "before",
  "acts",
  "at once",
  "Output",
  "Log",
];

function sectionsOf(text: string): Section[] {
  const sections: Section[] = [];
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const [, name, rest] = /^(\w[\w ]*):\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined && names.includes(name)) sections.push({ name, rest: rest!, lines: [] });
    else if (line.startsWith("  ") && sections.length > 0)
      sections.at(-1)!.lines.push(line.slice(2));
    else throw new Error(`Neither a section nor a line of one: ${line}`);
  }
  return sections;
}

function claimOf(text: string): string {
  const [, claim] = /^# (.+?)\.?\n/.exec(text) ?? [];
  if (claim === undefined) throw new Error("The first line is no comment with the claim");
  return claim;
}

function limitOf({ name, rest }: Section): Limit[] {
  if (name !== "on" && name !== "not on") return [];
  const [, where, reason] = /^([^:]+): (.+)$/.exec(rest) ?? [];
  if (where === undefined || reason === undefined) throw new Error(`No reason: ${name}: ${rest}`);
  if (name === "not on") {
    const [, list, , named = null] = /^(.*?)( with (\w+))?$/.exec(where)!;
    const filesystems = list === "any" ? null : list!.split(/,\s*/);
    const meant = backends.filter((backend) => named === null || isMeant(named, backend));
    return [{ filesystems, backends: meant, reason }];
  }
  const others = backends.filter((backend) => !isMeant(where, backend));
  return [{ filesystems: null, backends: others, reason }];
}

function roundsOf(sections: readonly Section[]): Round[] {
  const rounds: Round[] = [];
  let acts: Section | null = null;
  for (const section of sections) {
    if (section.name === "acts" || section.name === "at once") acts = section;
    else if (section.name === "Log") rounds.push({ ...rounds.pop()!, log: section.lines });
    else if (section.name === "Output") {
      if (acts === null) throw new Error("An Output: without acts before it");
      const atOnce = acts.name === "at once";
      rounds.push({ acts: acts.lines, atOnce, output: section.lines.map(expectedLine), log: [] });
      acts = null;
    }
  }
  if (acts !== null || rounds.length === 0) throw new Error("Acts without an Output: behind them");
  return rounds;
}

function expectedLine(line: string): ExpectedLine {
  const [, optional, text, not, one] = /^(\? )?(.*?)(?:\s+\[(not )?(\w+)\])?$/.exec(line)!;
  const isOptional = optional !== undefined;
  const told = backends.filter(
    (name) => one === undefined || isMeant(one, name) === (not === undefined),
  );
  return { text: text!.replace(/\s+/g, " "), backends: told, isOptional };
}
