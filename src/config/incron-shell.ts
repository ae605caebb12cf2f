/**
 * A command of an incron table made safe: each token becomes a quoted parameter, wherever it stands.
 *
 * incron puts the name of a file into the text that a shell reads. Here the shell gets the values as
 * $1 to $4, and the text refers to them, in a form that fits the quotes around it. What would read
 * the name as a program all the same (eval, arithmetic, another shell) is rewritten or refused.
 */
import { ProgramWatch } from "./incron-programs.ts";
import { anyMarker, markerIndex, type MarkedText, writtenToken } from "./incron-tokens.ts";
import type { Span } from "./span.ts";

export type Refuse = (span: Span, message: string) => void;

/** The script for `SHELL -c SCRIPT incron $1 $2 $3 $4`. @param refuse takes what can't be made safe */
export function safeScript(marked: MarkedText, refuse: Refuse): string {
  return new Rewriter(marked, refuse).run();
}

class Rewriter {
  readonly #text: string;
  readonly #places: readonly number[];
  readonly #refuse: Refuse;
  #at = 0;
  #out = "";

  constructor({ text, places }: Pick<MarkedText, "text" | "places">, refuse: Refuse) {
    this.#text = text;
    this.#places = places;
    this.#refuse = refuse;
  }

  run(): string {
    this.#commands(null);
    return this.#out;
  }

  get #char(): string {
    return this.#text.charAt(this.#at);
  }

  get #isOver(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Commands up to `closing`, which is taken too. */
  #commands(closing: ")" | null): void {
    let watch = new ProgramWatch();
    while (!this.#isOver) {
      if (closing !== null && this.#char === closing) return this.#copy(1);
      if (this.#text.startsWith("((", this.#at)) this.#arithmetic("((", "))");
      else if (/[;|&\n(){}]/.test(this.#char) && !this.#isPartOfWord()) {
        this.#copy(1);
        if (!watch.isInTest) watch = new ProgramWatch();
      } else if (this.#char === "#") this.#comment();
      else if (/[\s<>)&|;(]/.test(this.#char)) this.#copy(1);
      else this.#word(watch);
    }
  }

  /** `{}` of find(1), and a brace in a word: only alone does it open or close a group. */
  #isPartOfWord(): boolean {
    if (!/[{}]/.test(this.#char)) return false;
    const behind = this.#text.charAt(this.#at + 1);
    return behind !== "" && !/[\s;|&)]/.test(behind);
  }

  #comment(): void {
    while (!this.#isOver && this.#char !== "\n") this.#any();
  }

  /** One word, whatever it is put together from. */
  #word(watch: ProgramWatch): void {
    const start = this.#at;
    const outStart = this.#out.length;
    while (!this.#isOver && !/[\s;|&()<>]/.test(this.#char)) this.#any();
    const written = this.#text.slice(start, this.#at);
    if (/^\d+$/.test(written) && /[<>]/.test(this.#char)) return; // 2>&1
    const verdict = watch.take(written);
    const span = this.#span(start, this.#at);
    if (anyMarker.test(written) && /^\w+\[/.test(written))
      this.#refuse(span, arithmeticMessage(this.#tokenIn(start)));
    else if (typeof verdict === "object") this.#refuse(span, verdict.refused);
    else if (verdict === "script") this.#nested(start, outStart);
  }

  /** Anything at all outside of quotes. */
  #any(): void {
    const char = this.#char;
    if (markerIndex(char) !== null) this.#put(`"${reference(char)}"`, 1);
    else if (char === "\\") this.#escape((marker) => `"${reference(marker)}"`);
    else if (this.#text.startsWith("$'", this.#at)) this.#quoted("$'");
    else if (char === "'") this.#quoted("'");
    else if (char === '"') this.#double();
    else if (char === "`") this.#backquotes();
    else if (char === "$") this.#dollar();
    else this.#copy(1);
  }

  /** A backslash before a token says that it is to be quoted, which it is. */
  #escape(form: (marker: string) => string): void {
    const next = this.#text.charAt(this.#at + 1);
    if (markerIndex(next) === null) this.#copy(2);
    else this.#put(form(next), 2);
  }

  /** Single quotes end before a token and begin again behind it. In $'...' a backslash is special. */
  #quoted(open: "'" | "$'"): void {
    const start = this.#at;
    this.#copy(open.length);
    while (!this.#isOver && this.#char !== "'") {
      if (markerIndex(this.#char) !== null) this.#put(`'"${reference(this.#char)}"${open}`, 1);
      else if (open === "$'" && this.#char === "\\")
        this.#escape((marker) => `'"${reference(marker)}"${open}`);
      else this.#copy(1);
    }
    this.#close(start, "'");
  }

  #double(): void {
    const start = this.#at;
    this.#copy(1);
    while (!this.#isOver && this.#char !== '"') {
      if (markerIndex(this.#char) !== null) this.#put(reference(this.#char), 1);
      else if (this.#char === "\\") this.#escape(reference);
      else if (this.#char === "`") this.#backquotes();
      else if (this.#char === "$") this.#dollar();
      else this.#copy(1);
    }
    this.#close(start, '"');
  }

  #close(start: number, quote: string): void {
    if (!this.#isOver) return this.#copy(1);
    this.#refuse(
      this.#span(start, start + 1),
      `Missing closing quote ${quote}: add it where the word ends, or leave this one out`,
    );
  }

  /** What stands behind a dollar that the shell is to see. */
  #dollar(): void {
    const rest = this.#text.slice(this.#at);
    if (rest.startsWith("$((")) this.#arithmetic("$((", "))");
    else if (rest.startsWith("$[")) this.#arithmetic("$[", "]");
    else if (rest.startsWith("${")) this.#parameter();
    else if (rest.startsWith("$(")) {
      this.#copy(2);
      this.#commands(")");
    } else if (/^\$[\d@*#]/.test(rest)) {
      const span = this.#span(this.#at, this.#at + 2);
      const written = `$${rest.slice(0, 2)}`;
      this.#refuse(
        span,
        `Cannot use ${written}: a command of a table has no arguments; leave it out`,
      );
      this.#copy(2);
    } else this.#copy(1);
  }

  #parameter(): void {
    const start = this.#at;
    this.#copy(2);
    for (let depth = 1; !this.#isOver && depth > 0; this.#copy(1)) {
      if (this.#char === "{") depth++;
      if (this.#char === "}") depth--;
      if (markerIndex(this.#char) === null) continue;
      const token = writtenToken(this.#char);
      const cure = `put it into a variable first, f=${token}, and use that`;
      const span = this.#span(start, this.#at + 1);
      this.#refuse(span, `Cannot use ${token} inside braces: ${cure}`);
    }
  }

  #arithmetic(open: string, close: string): void {
    const start = this.#at;
    const found = this.#text.indexOf(close, start + open.length);
    const end = found < 0 ? this.#text.length : found + close.length;
    if (!anyMarker.test(this.#text.slice(start, end))) return this.#copy(end - start);
    this.#refuse(this.#span(start, end), arithmeticMessage(this.#tokenIn(start)));
    this.#at = end;
  }

  #backquotes(): void {
    const start = this.#at;
    this.#copy(1);
    while (!this.#isOver && this.#char !== "`") {
      if (markerIndex(this.#char) !== null) {
        const message = `Cannot use ${writtenToken(this.#char)} inside backquotes: write $$(...) in their place`;
        this.#refuse(this.#span(start, this.#at + 1), message);
      }
      this.#copy(this.#char === "\\" ? 2 : 1);
    }
    this.#close(start, "`");
  }

  /** `sh -c 'text'`: the text is made safe as a script of its own, which gets the values as ours does. */
  #nested(start: number, outStart: number): void {
    const token = this.#tokenIn(start);
    const inner = innerText(this.#text.slice(start, this.#at));
    const refuse = (message: string): void => this.#refuse(this.#span(start, this.#at), message);
    if (inner === null) {
      const cure = "put the whole of it in single quotes";
      return refuse(`Cannot use ${token} in this script for another shell: ${cure}`);
    }
    if (!/^\s*($|[;|&)<>]|\d*[<>])/.test(this.#text.slice(this.#at))) {
      const cure = 'give it as one of them, and write "$$1" in the script';
      return refuse(`Cannot use ${token} in a script that has arguments of its own: ${cure}`);
    }
    const places = inner.at.map((at) => this.#places[start + at]!);
    const script = new Rewriter({ text: inner.text, places }, this.#refuse).run();
    const quoted = `'${script.replaceAll("'", `'\\''`)}'`;
    this.#out = `${this.#out.slice(0, outStart)}${quoted} incron "\${1}" "\${2}" "\${3}" "\${4}"`;
  }

  /** As it is written, for messages. */
  #tokenIn(start: number): string {
    return writtenToken(anyMarker.exec(this.#text.slice(start))![0]);
  }

  #put(text: string, taken: number): void {
    this.#out += text;
    this.#at += taken;
  }

  #copy(length: number): void {
    this.#put(this.#text.slice(this.#at, this.#at + length), length);
  }

  #span(start: number, end: number): Span {
    const from = this.#places[start] ?? 0;
    const last = this.#places[Math.max(start, Math.min(end, this.#places.length) - 1)] ?? from;
    return { from, length: Math.max(1, last - from + 1) };
  }
}

function reference(marker: string): string {
  return `\${${markerIndex(marker)! + 1}}`;
}

function arithmeticMessage(token: string): string {
  return `Cannot use ${token} where the shell computes: it would run what is in the name; put the computing into a script of its own`;
}

/** The text in quotes that a whole word is, and where each char stands in the word; null for any other word. */
function innerText(word: string): { text: string; at: number[] } | null {
  const quote = word[0];
  if (word.length < 2 || (quote !== "'" && quote !== '"') || !word.endsWith(quote)) return null;
  let text = "";
  const at: number[] = [];
  for (let i = 1; i < word.length - 1; i++) {
    const char = word[i]!;
    if (char === quote || (quote === '"' && /[$`]/.test(char))) return null;
    const isEscape = quote === '"' && char === "\\" && /["\\$`]/.test(word[i + 1]!);
    if (isEscape) i++;
    if (i === word.length - 1) return null;
    text += word[i]!;
    at.push(i);
  }
  return { text, at };
}
