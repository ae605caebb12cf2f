/** The commands in a line of shell: operators, redirections and the words that mean something to it. */
import { readArithmetic } from "./incron-shell-expansions.ts";
import {
  Reading,
  type Redirection,
  type ScriptEnd,
  ShellMistake,
  type ShellScript,
  type ShellWord,
} from "./incron-shell-reading.ts";
import { readWord } from "./incron-shell-words.ts";
import { tokenAt } from "./incron-text.ts";

/** @throws {ShellMistake} if no shell would take it */
export function readShell(chars: string): ShellScript {
  const reading = new Reading(chars, (inside, end) => new ScriptReader(inside, end).read());
  reading.readScript(null);
  const { commands, references, hazards, shellWork } = reading;
  const [command] = commands;
  const isPlain =
    shellWork === 0 && commands.length === 1 && !command!.words.some((word) => word.needsShell);
  return { commands, references, hazards, isPlain };
}

/** The text of a word without tokens and expansions; null for others. */
export function literalOf(word: ShellWord): string | null {
  let text = "";
  for (const piece of word.pieces) {
    if (piece.kind !== "text") return null;
    text += piece.text;
  }
  return text;
}

/** As it is written: `"if"` in quotes is no `if`. */
function keywordOf(word: ShellWord | undefined): string | null {
  const [piece, ...rest] = word?.pieces ?? [];
  if (piece?.kind !== "text" || piece.isQuoted || rest.length > 0) return null;
  return piece.text;
}

const beforeCommand = new Set([
  "if",
  "then",
  "elif",
  "else",
  "while",
  "until",
  "do",
  "!",
  "{",
  "time",
]);

/** The words of a command without what only says when it runs. */
export function withoutKeywords(words: readonly ShellWord[]): readonly ShellWord[] {
  const first = words.findIndex((word) => !beforeCommand.has(keywordOf(word) ?? ""));
  return first < 0 ? [] : words.slice(first);
}

const operator = /;;&|;;|;&|&&|\|\||\|&|[;|\n]|&(?!>)/y;
const redirection = /(?:\d+|\{\w+\})?(?:&>>|&>|<<<|<<-?|<>|<&|>&|>>|>\||[<>](?!\())/y;

/** More of them are no table but an accident. */
const openMax = 50;

class ScriptReader {
  readonly #reading: Reading;
  readonly #end: ScriptEnd;
  /** What is open here, the innermost last. */
  readonly #open: ("(" | "case")[] = [];
  #words: ShellWord[] = [];
  #redirections: Redirection[] = [];
  /** Between `in` or `;;` and the `)` of a pattern. */
  #isInPattern = false;
  /** Between `[[` and `]]`. */
  #isInTest = false;

  constructor(reading: Reading, end: ScriptEnd) {
    this.#reading = reading;
    this.#end = end;
  }

  read(): void {
    const start = this.#reading.at;
    while (!this.#isOver(start)) this.#step();
    this.#endCommand();
  }

  /** Whether the end of the script is here, which is skipped then. */
  #isOver(start: number): boolean {
    const reading = this.#reading;
    if (reading.isAtEnd) {
      if (this.#end === null && this.#open.length === 0) return true;
      throw new ShellMistake(
        Math.max(start - 1, 0),
        `Missing ${this.#end ?? ") or esac"}: it is never closed`,
      );
    }
    if (this.#end === null || reading.char() !== this.#end) return false;
    if (this.#open.length > 0 && this.#end === ")") return false;
    if (this.#open.length > 0)
      throw new ShellMistake(
        start - 1,
        "Unexpected end of `...`: something in it is not closed; write $$(...)",
      );
    reading.at++;
    return true;
  }

  #step(): void {
    const reading = this.#reading;
    if (reading.take(/[ \t]+/y) !== null) return;
    if (reading.char() === "#") return this.#comment();
    if (this.#isInTest && reading.take(/[()<>!]|&&|\|\||\|/y) !== null) return;
    if (reading.char() === "(") return this.#openParenthesis();
    if (reading.char() === ")") return this.#closeParenthesis();
    const from = reading.at;
    const redirects = reading.take(redirection);
    if (redirects !== null) return this.#redirect(from, redirects);
    const ends = reading.take(operator);
    if (ends === null) return this.#word();
    this.#endCommand();
    reading.shellWork++;
    if (ends.startsWith(";;")) this.#isInPattern = this.#open.at(-1) === "case";
  }

  /** To the end of the line: nothing in it is ever run, but its tokens must not stay as they are. */
  #comment(): void {
    const reading = this.#reading;
    for (; !reading.isAtEnd && reading.char() !== "\n" && reading.char() !== closes(this.#end);) {
      const value = tokenAt(reading.chars, reading.at);
      if (value !== null) {
        reading.references.push({ at: reading.at, value, context: "comment", isEscaped: false });
      }
      reading.at++;
    }
    reading.shellWork++;
  }

  #openParenthesis(): void {
    const reading = this.#reading;
    const from = reading.at;
    reading.shellWork++;
    const [first] = this.#words;
    const isFor = keywordOf(first) === "for" && this.#words.length === 1;
    const mayCalculate = withoutKeywords(this.#words).length === 0 || isFor;
    if (reading.startsWith("((") && mayCalculate && readArithmetic(reading, from)) return;
    reading.at++;
    if (this.#isInPattern) return;
    if (reading.take(/[ \t]*\)/y) !== null) {
      this.#words = []; // the name of a function
      return;
    }
    if (this.#words.length > 0 && reading.chars[from - 1] === "=") {
      reading.hazard(
        from,
        "names",
        "Cannot fill an array beside $@ or $#: bash takes indices for expressions, which can run a command; write the words where they are needed",
      );
    }
    this.#endCommand();
    if (this.#open.push("(") > openMax) {
      throw new ShellMistake(
        from,
        "Too many parentheses inside each other: put them into a script",
      );
    }
  }

  #closeParenthesis(): void {
    const reading = this.#reading;
    reading.at++;
    this.#endCommand();
    if (this.#isInPattern) this.#isInPattern = false;
    else if (this.#open.pop() !== "(") {
      throw new ShellMistake(
        reading.at - 1,
        "Unexpected ): nothing is open here; leave it out, or quote it",
      );
    }
  }

  #redirect(from: number, operator: string): void {
    const reading = this.#reading;
    reading.shellWork++;
    reading.take(/[ \t]+/y);
    const target = readWord(reading, closes(this.#end));
    if (target.pieces.length === 0) {
      throw new ShellMistake(from, `Missing file after ${operator}: name it`);
    }
    this.#redirections.push({ operator, target });
    if (/<<-?$/.test(operator) && !operator.endsWith("<<<")) {
      reading.hazard(
        from,
        "always",
        "Cannot use << in a table: its lines would have to follow; write <<< and a word",
      );
    }
  }

  #word(): void {
    const word = readWord(this.#reading, closes(this.#end));
    this.#words.push(word);
    const words = withoutKeywords(this.#words);
    const keyword = keywordOf(word);
    if (words.length === 1 && keyword === "[[") this.#isInTest = true;
    if (keyword === "]]") this.#isInTest = false;
    if (words.length === 3 && keyword === "in" && keywordOf(words[0]) === "case") {
      this.#endCommand();
      this.#open.push("case");
      this.#isInPattern = true;
    } else if (words.length === 1 && keyword === "esac" && this.#open.at(-1) === "case") {
      this.#open.pop();
      this.#isInPattern = false;
    }
  }

  #endCommand(): void {
    const words = this.#words;
    const redirections = this.#redirections;
    this.#words = [];
    this.#redirections = [];
    if (this.#isInPattern || words.length + redirections.length === 0) return;
    this.#reading.commands.push({ words, redirections });
  }
}

/** A backtick ends words too, a parenthesis does so anyway. */
function closes(end: ScriptEnd): string | null {
  return end === "`" ? end : null;
}
