/** A line of an incron table: path, mask, and the rest, which is the command. */
import type { Span } from "./span.ts";

export interface Piece extends Span {
  /** As it is written; one char for one byte. */
  readonly text: string;
}

export interface PathPiece extends Piece {
  /** A pattern in which a backslash makes the next character literal. */
  readonly pattern: string;
}

export interface IncronLine {
  readonly path: PathPiece | null;
  readonly mask: Piece | null;
  readonly command: Piece | null;
  /** A quote around the path that is never closed. */
  readonly openQuote: Span | null;
}

const blanks = /[ \t]*/y;

/**
 * Cut a line. A path with blanks stands in quotes or has a backslash before each of them; incron
 * 0.5.12 means to read the backslash, and does not (ar-/incron#55).
 *
 * @param line without its end; `from` is where it starts in the source
 */
export function incronLine(line: string, from: number): IncronLine {
  let at = skip(line, 0);
  const start = at;
  const path = takePath(line, start);
  if (path === null) {
    return { path: null, mask: null, command: null, openQuote: { from: from + start, length: 1 } };
  }
  const text = line.slice(start, path.end);
  const pathPiece = { text, pattern: path.pattern, from: from + start, length: text.length };
  at = skip(line, path.end);
  const maskText = /[^ \t]*/y;
  maskText.lastIndex = at;
  const mask = maskText.exec(line)![0];
  const maskPiece = mask === "" ? null : { text: mask, from: from + at, length: mask.length };
  at = skip(line, at + mask.length);
  const command = line.slice(at).trimEnd();
  return {
    path: text === "" ? null : pathPiece,
    mask: maskPiece,
    command: command === "" ? null : { text: command, from: from + at, length: command.length },
    openQuote: null,
  };
}

function skip(line: string, at: number): number {
  blanks.lastIndex = at;
  return at + blanks.exec(line)![0].length;
}

/** Characters that mean more than themselves in a pattern. */
const special = /[\\*?[{]/g;

/** Null if a quote is not closed. */
function takePath(line: string, start: number): { pattern: string; end: number } | null {
  const quote = line[start];
  if (quote === '"' || quote === "'") {
    const closing = line.indexOf(quote, start + 1);
    if (closing < 0) return null;
    return { pattern: line.slice(start + 1, closing).replace(special, "\\$&"), end: closing + 1 };
  }
  let pattern = "";
  let at = start;
  while (at < line.length && line[at] !== " " && line[at] !== "\t") {
    const isEscaped = line[at] === "\\" && at + 1 < line.length;
    if (isEscaped) at++;
    const char = line[at]!;
    // Braces are wildcards of ours and not of incron's.
    pattern += isEscaped || char === "{" || char === "\\" ? char.replace(special, "\\$&") : char;
    at++;
  }
  return { pattern, end: at };
}
