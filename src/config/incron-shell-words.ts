/** A word of a shell command: quotes and expansions, as bash(1) has them under QUOTING and EXPANSION. */
import {
  type Context,
  type Piece,
  type Reading,
  ShellMistake,
  type ShellWord,
  type TextPiece,
} from "./incron-shell-reading.ts";
import { readArithmetic, readBraces } from "./incron-shell-expansions.ts";
import { tokenAt } from "./incron-text.ts";

const endsWord = /[ \t\n;&|()<>]/;
const forShell = /[*?[\]{}~]/;

/** @param closing also ends it: the backtick of a substitution */
export function readWord(reading: Reading, closing: string | null): ShellWord {
  const from = reading.at;
  const pieces: Piece[] = [];
  let needsShell = false;
  while (!reading.isAtEnd && reading.char() !== closing) {
    if (/[<>]/.test(reading.char()) && reading.char(1) === "(") pieces.push(process(reading));
    else if (endsWord.test(reading.char())) break;
    else {
      needsShell ||= forShell.test(reading.char());
      readPiece(reading, pieces);
    }
  }
  return { from, to: reading.at, pieces, needsShell };
}

function readPiece(reading: Reading, pieces: Piece[]): void {
  const char = reading.char();
  if (char === "\\") return escaped(reading, pieces);
  if (char === "'") return single(reading, pieces);
  if (char === '"') return double(reading, pieces);
  if (char === "$" && reading.char(1) === "'") return ansi(reading, pieces);
  if (char === "$" && reading.char(1) === '"') {
    reading.at++;
    reading.shellWork++;
    return double(reading, pieces);
  }
  if (char === "$" || char === "`") return expansion(reading, pieces, "plain");
  if (token(reading, pieces, "plain")) return;
  text(pieces, char, { at: reading.at++, isQuoted: false });
}

/** @param char one, or none for the quotes of an empty word */
function text(pieces: Piece[], char: string, place: { at: number; isQuoted: boolean }): void {
  let last = pieces.at(-1) as Piece | undefined;
  if (last?.kind !== "text" || last.isQuoted !== place.isQuoted) {
    last = { kind: "text", text: "", places: [], isQuoted: place.isQuoted };
    pieces.push(last);
  }
  const piece = last as TextPiece;
  piece.text += char;
  if (char !== "") piece.places.push(place.at);
}

/** Takes a token, if there is one here. */
function token(reading: Reading, pieces: Piece[], context: Context, isEscaped = false): boolean {
  const value = tokenAt(reading.chars, reading.at);
  if (value === null) return false;
  reading.references.push({ at: reading.at, value, context, isEscaped });
  pieces.push({ kind: "token", at: reading.at, value });
  reading.at++;
  return true;
}

function escaped(reading: Reading, pieces: Piece[]): void {
  reading.at++;
  if (reading.isAtEnd)
    throw new ShellMistake(reading.at - 1, "Unexpected backslash at the end: leave it out");
  if (token(reading, pieces, "plain", true)) return;
  if (reading.char() !== "\n") text(pieces, reading.char(), { at: reading.at, isQuoted: true });
  reading.at++;
}

function single(reading: Reading, pieces: Piece[]): void {
  const from = reading.at++;
  text(pieces, "", { at: from, isQuoted: true });
  for (; reading.char() !== "'";) {
    if (reading.isAtEnd) throw openQuote(from, "'");
    if (!token(reading, pieces, "single")) {
      text(pieces, reading.char(), { at: reading.at++, isQuoted: true });
    }
  }
  reading.at++;
}

function openQuote(at: number, quote: string): ShellMistake {
  return new ShellMistake(at, `Missing closing quote ${quote}: add it where the word ends`);
}

/** `$'...'`: its escapes stay unread, so that nobody takes its text for what it becomes. */
function ansi(reading: Reading, pieces: Piece[]): void {
  const from = reading.at;
  reading.at += 2;
  for (; reading.char() !== "'";) {
    if (reading.isAtEnd) throw openQuote(from, "'");
    if (reading.char() === "\\") {
      reading.at++;
      if (token(reading, pieces, "ansi", true)) continue;
      reading.at++;
    } else if (!token(reading, pieces, "ansi")) reading.at++;
  }
  reading.at++;
  pieces.push(expanded(reading, from, { what: "other", isQuoted: true }));
}

export function double(reading: Reading, pieces: Piece[]): void {
  const from = reading.at++;
  text(pieces, "", { at: from, isQuoted: true });
  for (; reading.char() !== '"';) {
    if (reading.isAtEnd) throw openQuote(from, '"');
    const char = reading.char();
    if (char === "\\") escapedInDouble(reading, pieces);
    else if (char === "$" || char === "`") expansion(reading, pieces, "double");
    else if (!token(reading, pieces, "double")) {
      text(pieces, char, { at: reading.at++, isQuoted: true });
    }
  }
  reading.at++;
}

function escapedInDouble(reading: Reading, pieces: Piece[]): void {
  const at = reading.at++;
  const next = reading.char();
  if (token(reading, pieces, "double", true)) return;
  if (!/[$`"\\\n]/.test(next)) return text(pieces, "\\", { at, isQuoted: true });
  if (next !== "\n") text(pieces, next, { at: reading.at, isQuoted: true });
  reading.at++;
}

/** A dollar or backtick, and what belongs to it. */
function expansion(reading: Reading, pieces: Piece[], context: "plain" | "double"): void {
  const from = reading.at;
  const isQuoted = context === "double";
  const push = (what: "variable" | "command" | "other") => {
    pieces.push(expanded(reading, from, { what, isQuoted }));
  };
  if (reading.char() === "`") {
    backticks(reading);
    return push("command");
  }
  if (reading.take(/\$(\w+|[@*#?$!-])/y) !== null) return push("variable");
  reading.at++;
  if (tokenAt(reading.chars, reading.at) !== null) {
    reading.at++;
    reading.hazard(
      from,
      "always",
      "Cannot name a variable with a token: what happens there would choose it; write the variable's name",
    );
    return push("other");
  }
  if (reading.char() === "{") {
    readBraces(reading, { from, isQuoted, double: (inside) => double(inside, []), dollar });
    return push("variable");
  }
  if (reading.char() === "[" || reading.startsWith("((")) {
    if (readArithmetic(reading, from)) return push("other");
  }
  if (reading.char() === "(") {
    reading.at++;
    reading.readScript(")");
    return push("command");
  }
  text(pieces, "$", { at: from, isQuoted });
}

/** An expansion inside of braces. */
function dollar(reading: Reading, isQuoted: boolean): void {
  expansion(reading, [], isQuoted ? "double" : "plain");
}

function backticks(reading: Reading): void {
  const from = reading.at++;
  reading.readScript("`");
  const inside = reading.chars.slice(from + 1, reading.at - 1);
  if (!inside.includes("\\")) return;
  reading.hazard(
    from,
    "names",
    "Cannot read backslashes between backticks: write $$(...) for `...`",
  );
}

function process(reading: Reading): Piece {
  const from = reading.at;
  reading.at += 2;
  reading.readScript(")");
  return expanded(reading, from, { what: "process", isQuoted: false });
}

type What = Pick<Extract<Piece, { kind: "expansion" }>, "what" | "isQuoted">;

function expanded(reading: Reading, from: number, what: What): Piece {
  reading.shellWork++;
  return { kind: "expansion", text: reading.chars.slice(from, reading.at), ...what };
}
