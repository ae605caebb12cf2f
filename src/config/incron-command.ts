/** The command of an incron table: run as it is where it is plain, by a shell where it needs one. */
import { existsSync } from "node:fs";
import { fromLatin1 } from "../../ffi/bytes.ts";
import type { Command, Part, Word } from "../rule/template.ts";
import { quotedWord, type Findings } from "./findings.ts";
import type { Piece } from "./incron-fields.ts";
import { safeScript } from "./incron-shell.ts";
import { anyMarker, markerIndex, markTokens, tokenValues } from "./incron-tokens.ts";
import type { Programs } from "./programs.ts";

/** Null if it can't be made safe; `findings` say why. */
export function readIncronCommand(
  piece: Piece,
  programs: Programs,
  findings: Findings,
): Command | null {
  const before = findings.errorCount;
  const marked = markTokens(piece.text, piece.from);
  for (const span of marked.dropped) {
    const text = quotedWord(
      piece.text.slice(span.from - piece.from, span.from - piece.from + span.length),
    );
    findings.warning(
      span,
      `Dollar in ${text} is dropped, as incron does: write $$ for one that the shell is to see`,
    );
  }
  const words = plainWords(marked.text);
  if (words !== null) return direct(words, piece, programs, findings);
  const script = safeScript(marked, (span, message) => findings.error(span, message));
  if (findings.errorCount > before) return null;
  if (!anyMarker.test(marked.text)) return { words: [shell(), "-c", script].map(literal) };
  const values = tokenValues.map((value): Word => [{ value }]);
  return { words: [...[shell(), "-c", script, "incron"].map(literal), ...values] };
}

/** Debian's incron uses bash, which most tables are written for. */
function shell(): string {
  return existsSync("/bin/bash") ? "/bin/bash" : "/bin/sh";
}

function literal(text: string): Word {
  return [{ literal: fromLatin1(text) }];
}

function direct(
  words: readonly string[],
  piece: Piece,
  programs: Programs,
  findings: Findings,
): Command {
  const doubt = programs.doubtAbout(words[0]!);
  if (doubt !== null) {
    const span = { from: piece.from, length: words[0]!.length };
    findings.warning(span, `Cannot run ${quotedWord(words[0]!)}: ${doubt}`);
  }
  return { words: words.map(templateOf) };
}

function templateOf(word: string): Word {
  const parts: Part[] = [];
  for (const text of word.split(/([\ue000-\ue003])/)) {
    const index = text.length === 1 ? markerIndex(text) : null;
    if (index !== null) parts.push({ value: tokenValues[index]! });
    else if (text !== "" || word === "") parts.push({ literal: fromLatin1(text) });
  }
  return parts;
}

/** Outside of quotes: what no shell takes for anything but itself, tokens and an escaped character. */
const plain = /[\w%+,./:=@\x80-\xff\ue000-\ue003-]/;
/** In double quotes nothing else is special. */
const quotedPlain = /[^"$`\\!]/;

/**
 * The words of a command that a shell would do nothing to but take the quotes off; null for any other.
 * Only with a program's path: names are looked up by the shell, and some are its own.
 */
function plainWords(text: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === " " || char === "\t") {
      if (word !== null) words.push(word);
      word = null;
    } else if (char === "'" || char === '"') {
      const end = text.indexOf(char, at + 1);
      const inner = text.slice(at + 1, end);
      if (end < 0 || (char === '"' && ![...inner].every((one) => quotedPlain.test(one))))
        return null;
      word = (word ?? "") + inner;
      at = end;
    } else if (char === "\\" && at + 1 < text.length && text[at + 1] !== "\n")
      word = (word ?? "") + text[++at]!;
    else if (plain.test(char)) word = (word ?? "") + char;
    else return null;
  }
  if (word !== null) words.push(word);
  return words[0]?.startsWith("/") && !anyMarker.test(words[0]) ? words : null;
}
