/** A line of an incron table cut into path, mask and the command, which is all the rest. */
import type { Span } from "./span.ts";

export interface Field extends Span {
  /** One char for one byte. */
  readonly text: string;
}

export interface PathField extends Field {
  /** What is meant by `text`: a backslash stands before each char that is no wildcard but looks like one. */
  readonly pattern: string;
  readonly isGlob: boolean;
}

export interface IncronFields {
  /** Null: the line is blank or a comment. */
  readonly path: PathField | null;
  readonly mask: Field | null;
  readonly command: Field | null;
  /** A quote that is never closed, with all that follows it. */
  readonly openQuote: Span | null;
}

/**
 * The fields of one line.
 *
 * incron 0.5.12 cannot be given a path with blanks, though its manual says how: by backslash. Here it
 * can, and in quotes too; a wildcard in quotes is one, after a backslash it is none.
 *
 * @param line one char for one byte
 * @param lineStart where the line starts in the source
 */
export function splitIncronLine(line: string, lineStart: number): IncronFields {
  const nothing = { path: null, mask: null, command: null, openQuote: null };
  const start = skipBlanks(line, 0);
  if (start === line.length || line[start] === "#") return nothing;
  const path = readPath(line, start);
  if ("openAt" in path) {
    const openQuote = { from: lineStart + path.openAt, length: line.length - path.openAt };
    return { ...nothing, openQuote };
  }
  const field = (from: number, to: number): Field | null =>
    from === to ? null : { text: line.slice(from, to), from: lineStart + from, length: to - from };
  const maskStart = skipBlanks(line, path.end);
  const maskEnd = wordEnd(line, maskStart);
  return {
    path: { ...field(start, path.end)!, pattern: path.pattern, isGlob: path.isGlob },
    mask: field(maskStart, maskEnd),
    command: field(skipBlanks(line, maskEnd), line.length),
    openQuote: null,
  };
}

function isBlank(line: string, at: number): boolean {
  return line[at] === " " || line[at] === "\t";
}

function skipBlanks(line: string, at: number): number {
  while (isBlank(line, at)) at++;
  return at;
}

function wordEnd(line: string, at: number): number {
  while (at < line.length && !isBlank(line, at)) at++;
  return at;
}

interface Path {
  readonly pattern: string;
  readonly isGlob: boolean;
  readonly end: number;
}

/** Or the place of a quote that is not closed. */
function readPath(line: string, start: number): Path | { readonly openAt: number } {
  let pattern = "";
  let isGlob = false;
  let quote = "";
  let openAt = start;
  let at = start;
  for (; at < line.length && (quote !== "" || !isBlank(line, at)); at++) {
    const char = line[at]!;
    if (char === quote) quote = "";
    else if (quote === "" && (char === '"' || char === "'")) {
      quote = char;
      openAt = at;
    } else if (char === "\\" && at + 1 < line.length) pattern += literal(line[++at]!);
    else if (isWildcard(line, at)) {
      pattern += char;
      isGlob = true;
    } else pattern += isGlob && char === "]" ? char : literal(char);
  }
  return quote === "" ? { pattern, isGlob, end: at } : { openAt };
}

/** A bracket that is never closed is one of a name. */
function isWildcard(line: string, at: number): boolean {
  if (line[at] === "[") return /^\[(?![!^]\])[^\]/\s]+\]/.test(line.slice(at, at + 256));
  return line[at] === "*" || line[at] === "?";
}

/** `{` is no wildcard of incron's, but one of ours. */
function literal(char: string): string {
  return /[\\*?[{]/.test(char) ? `\\${char}` : char;
}
