/** Text for a shell, made safe: each token becomes a parameter, quoted as its place asks for. */
import { examine } from "./incron-shell-dangers.ts";
import {
  type Piece,
  type Reference,
  ShellMistake,
  type ShellScript,
  type ShellWord,
} from "./incron-shell-reading.ts";
import { readShell } from "./incron-shell-script.ts";
import { nameChar, type Text, tokenAt, type TokenValue } from "./incron-text.ts";

/** Takes what is found, at places of the source. */
export interface ShellFindings {
  error(span: { from: number; length: number }, message: string): void;
  warning(span: { from: number; length: number }, message: string): void;
}

/** One char for one byte. */
export type PlainWord = readonly ({ readonly literal: string } | { readonly value: TokenValue })[];

export interface Rewritten {
  /** For `sh -c SCRIPT NAME` and then the values of `values`, in that order. */
  readonly script: string;
  /** The same as words, if it needs no shell: literal text and values. */
  readonly words: readonly PlainWord[] | null;
}

/** What stands behind the script. */
export const values = ["watched", "entry", "in_events", "in_mask"] as const satisfies TokenValue[];

/** The shell's `$0`: what it calls itself in its messages. */
export const shellName = "incron";

/**
 * The script for a command of a table; null if there is something wrong, which `findings` then have.
 *
 * The shell never reads a value: it expands a parameter, and what that gives is a word. So what is
 * left to be refused are the places where a shell, or a program that it starts, reads a word again.
 *
 * @param isInner its text is inside a text in which a file's name may be in any variable
 */
export function rewriteShell(
  text: Text,
  findings: ShellFindings,
  isInner = false,
): Rewritten | null {
  const report = new Report(text, findings);
  const script = read(text.chars, report);
  if (script === null) return null;
  const hasName = isInner || nameChar.test(text.chars);
  for (const { from, to, when, message } of script.hazards) {
    if (when === "always" || hasName) report.error({ from, to }, message);
  }
  const inner = new Map<ShellWord, string>();
  if (hasName) examineAll(script, text, { report, findings, inner });
  if (report.hasErrors) return null;
  const named = changesParameters.test(text.chars) ? byName : byNumber;
  const body = render(text.chars, script, { inner, named });
  return {
    script: named === byName ? keepValues + body : body,
    words: script.isPlain ? plainWords(script, inner) : null,
  };
}

class Report {
  readonly #text: Text;
  readonly #findings: ShellFindings;
  hasErrors = false;

  constructor(text: Text, findings: ShellFindings) {
    this.#text = text;
    this.#findings = findings;
  }

  error(at: { from: number; to: number }, message: string): void {
    this.hasErrors = true;
    this.#findings.error(this.#span(at), message);
  }

  warning(at: { from: number; to: number }, message: string): void {
    this.#findings.warning(this.#span(at), message);
  }

  #span({ from, to }: { from: number; to: number }): { from: number; length: number } {
    const { places } = this.#text;
    const start = places[from]!;
    return { from: start, length: Math.max(1, places[Math.min(to, places.length - 1)]! - start) };
  }
}

function read(chars: string, report: Report): ShellScript | null {
  try {
    return readShell(chars);
  } catch (error) {
    if (!(error instanceof ShellMistake)) throw error;
    report.error({ from: error.at, to: error.at + 1 }, error.message);
    return null;
  }
}

interface Found {
  readonly report: Report;
  readonly findings: ShellFindings;
  /** Texts of shells inside the shell, by their words. */
  readonly inner: Map<ShellWord, string>;
}

function examineAll(script: ShellScript, text: Text, { report, findings, inner }: Found): void {
  for (const command of script.commands) {
    examine(command, {
      chars: text.chars,
      fault: (word, message) => report.error(word, message),
      doubt: (word, message) => report.warning(word, message),
      inner: (word, isLast) => {
        const rewritten = rewriteInner(word, { text, isLast, report, findings });
        if (rewritten !== null) inner.set(word, rewritten);
      },
    });
  }
}

interface Inside {
  readonly text: Text;
  /** No word follows it. */
  readonly isLast: boolean;
  readonly report: Report;
  readonly findings: ShellFindings;
}

/** The script for a shell inside the shell, if it has tokens in it; null: it stays as it is, or there is a mistake. */
function rewriteInner(word: ShellWord, { text, isLast, report, findings }: Inside): string | null {
  const inside = textOf(word, text);
  if (inside === null) {
    report.error(
      word,
      `Cannot tell what text this shell gets: a value in it could be a command; write the text in single quotes, with "$$1" in it and the value behind it: sh -c '... "$$1"' sh $@/$#`,
    );
    return null;
  }
  if (inside.chars.includes("{}")) {
    report.error(
      word,
      `Cannot put {} into the text of a shell: a file's name could be a command there; write it behind: sh -c '... "$$1"' sh {}`,
    );
    return null;
  }
  const rewritten = rewriteShell(inside, findings, true);
  if (rewritten === null) report.hasErrors = true;
  const hasTokens = [...inside.chars].some((_, at) => tokenAt(inside.chars, at) !== null);
  if (rewritten === null || !hasTokens) return null;
  if (isLast) return rewritten.script;
  report.error(
    word,
    `Cannot put a token into a shell's text that has words behind it: write it behind the text too: sh -c '... "$$1"' sh $@/$#`,
  );
  return null;
}

/** What a word comes to, each char with its place; null if only a shell can tell. */
function textOf(word: ShellWord, { chars, places }: Text): Text | null {
  let inside = "";
  const at: number[] = [];
  for (const piece of word.pieces) {
    if (piece.kind === "expansion") return null;
    inside += piece.kind === "text" ? piece.text : chars[piece.at];
    if (piece.kind === "token") at.push(piece.at);
    else for (const place of piece.places) at.push(place);
  }
  if (word.needsShell) return null;
  return { chars: inside, places: [...at.map((one) => places[one]!), places[word.to]!] };
}

type Named = Readonly<Record<TokenValue, string>>;
const byNumber: Named = { watched: "1", entry: "2", in_events: "3", in_mask: "4" };

/** For scripts that have parameters of their own: functions, `set`, `shift`, `$$1`. */
const byName: Named = {
  watched: "incron_watched",
  entry: "incron_entry",
  in_events: "incron_events",
  in_mask: "incron_mask",
};
const changesParameters =
  /\$(\{[#!]?)?[\d@*#]|\b(set|shift|getopts|function|source|eval)\b|\(\s*\)|(^|[;&|({\s])\.\s|\bfor\s+\w+\s*(;|\n|do\b)/;
const assignments = values.map((value) => `${byName[value]}=$${byNumber[value]}`);
const keepValues = `${assignments.join(" ")}; shift ${values.length}; `;

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly by: string;
}

function render(
  chars: string,
  { references }: ShellScript,
  how: { inner: ReadonlyMap<ShellWord, string>; named: Named },
): string {
  const words = [...how.inner].map(([{ from, to }, script]) => {
    const passed = values.map((value) => `"$${how.named[value]}"`).join(" ");
    return { from, to, by: `${singleQuoted(script)} ${shellName} ${passed}` };
  });
  const tokens = references.map((reference) => editFor(reference, how.named[reference.value]));
  let out = "";
  let end = 0;
  for (const { from, to, by } of [...words, ...tokens].sort(byPlace)) {
    if (from < end) continue; // in a text that is replaced as a whole
    out += chars.slice(end, from) + by;
    end = to;
  }
  return out + chars.slice(end);
}

/** Where two start at one place, the longer one is the whole word. */
function byPlace(a: Edit, b: Edit): number {
  return a.from - b.from || b.to - a.to;
}

function editFor({ at, context, isEscaped }: Reference, name: string): Edit {
  const from = isEscaped ? at - 1 : at;
  const to = at + 1;
  switch (context) {
    case "single":
      return { from, to, by: `'"$${name}"'` };
    case "ansi":
      return { from, to, by: `'"$${name}"$'` };
    case "double":
    case "arithmetic":
      return { from, to, by: `\${${name}}` };
    case "plain":
    case "comment":
      return { from, to, by: `"$${name}"` };
  }
}

function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function plainWords({ commands }: ShellScript, inner: ReadonlyMap<ShellWord, string>): PlainWord[] {
  return commands[0]!.words.flatMap((word): PlainWord[] => {
    const script = inner.get(word);
    if (script === undefined) return [word.pieces.map(partOf)];
    const passed = values.map((value) => [{ value }]);
    return [[{ literal: script }], [{ literal: shellName }], ...passed];
  });
}

function partOf(piece: Piece): PlainWord[number] {
  if (piece.kind === "token") return { value: piece.value };
  if (piece.kind === "text") return { literal: piece.text };
  throw new Error("an expansion in plain words");
}
