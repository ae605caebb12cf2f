/** What is found in one source: errors, which stop it, and warnings, which do not. */
import { fromLatin1 } from "../../ffi/bytes.ts";
import { ConfigError, type ConfigProblem } from "../errors.ts";
import { quoted } from "../log.ts";
import type { Source } from "./source.ts";
import { Places, problemOfFile, type Span } from "./span.ts";

/**
 * Errors are kept until they would print as this many characters, warnings likewise.
 *
 * Each shows its whole line. That is far more than anyone reads, and it keeps a binary file or one
 * enormous line, given by mistake, from costing memory without end.
 */
const printedCharsMax = 1 << 20;

export class Findings {
  readonly #source: Source;
  readonly #places: Places;
  readonly #errors: ConfigProblem[] = [];
  #errorRoom = printedCharsMax;
  #warningRoom = printedCharsMax;

  constructor(source: Source) {
    this.#source = source;
    this.#places = new Places(source);
  }

  get errorCount(): number {
    return this.#errors.length;
  }

  /** @throws {ConfigError} when there is no room for more */
  error(span: Span, message: string): void {
    const problem = this.#places.problem(span, message);
    this.#errors.push(problem);
    this.#errorRoom -= printedLength(problem);
    if (this.#errorRoom > 0) return;
    this.#errors.push(this.#ofFile("There may be more errors: correct these first"));
    this.throwErrors();
  }

  warning(span: Span, message: string): void {
    if (this.#warningRoom <= 0) return;
    const problem = this.#places.problem(span, message);
    this.#source.warn?.(problem);
    this.#warningRoom -= printedLength(problem);
    if (this.#warningRoom > 0) return;
    this.#source.warn?.(this.#ofFile("There may be more warnings: see to these first"));
  }

  /** @throws {ConfigError} with every error, if there is one, from top to bottom */
  throwErrors(): void {
    if (this.#errors.length > 0) throw new ConfigError(this.#errors.toSorted(byPlace));
  }

  #ofFile(message: string): ConfigProblem {
    return problemOfFile(this.#source.file, message);
  }
}

/** What is about the file as a whole comes last: that there may be more. */
function byPlace(a: ConfigProblem, b: ConfigProblem): number {
  return (a.line || Infinity) - (b.line || Infinity) || a.column - b.column || 0;
}

function printedLength({ message, text }: ConfigProblem): number {
  return message.length + text.length;
}

const shownBytesMax = 80;

/** A word of a source, one char per byte, quoted for a message: its start is enough when it is long. */
export function quotedWord(word: string): string {
  const bytes = fromLatin1(word.slice(0, shownBytesMax));
  return word.length > shownBytesMax ? `${quoted(bytes)}...` : quoted(bytes);
}
