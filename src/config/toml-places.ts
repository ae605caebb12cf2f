/** Where everything of a TOML text stands: the parser gives values without places. */
import { fromLatin1, lossyText } from "../../ffi/bytes.ts";
import type { Span } from "./span.ts";
import { TomlText } from "./toml-text.ts";

/** Keys and, for lists, indices: `["rule", 2, "watch", 0]`. */
export type TomlPath = readonly (string | number)[];

export class TomlPlaces {
  readonly #keys = new Map<string, Span>();
  readonly #values = new Map<string, Span>();
  /** How many tables each `[[name]]` has so far. */
  readonly #lists = new Map<string, number>();
  /** Where the text stops being TOML, as far as a look at its form tells; null if it is. */
  readonly fault: Span | null;
  /** The fault is that; the parser is not to be asked for more. */
  isTooDeep = false;

  /** @param text one char for one byte */
  constructor(text: string, start: number) {
    this.fault = new Scan(new TomlText(text, start), this).run();
  }

  /** The value at `path`; for a table, its header. Null if nothing is there. */
  value(path: TomlPath): Span | null {
    return this.#values.get(keyOf(path)) ?? null;
  }

  /** The last key of `path`, as it is written; for a table, its header. */
  key(path: TomlPath): Span | null {
    return this.#keys.get(keyOf(path)) ?? null;
  }

  /** @returns false if there is one already */
  put(path: TomlPath, key: Span, value: Span): boolean {
    const id = keyOf(path);
    if (this.#values.has(id)) return false;
    this.#keys.set(id, key);
    this.#values.set(id, value);
    return true;
  }

  /** One more table of a list. @returns its path */
  addTable(path: TomlPath): TomlPath {
    const count = this.#lists.get(keyOf(path)) ?? 0;
    this.#lists.set(keyOf(path), count + 1);
    return [...path, count];
  }

  /** `[rule.sub]` means the `sub` of the last `[[rule]]`. */
  resolve(keys: readonly string[]): TomlPath {
    const path: (string | number)[] = [];
    for (const [at, key] of keys.entries()) {
      path.push(key);
      const count = at === keys.length - 1 ? undefined : this.#lists.get(keyOf(path));
      if (count !== undefined) path.push(count - 1);
    }
    return path;
  }
}

function keyOf(path: TomlPath): string {
  return JSON.stringify(path);
}

/** Nothing that facron knows is nested deeper than 4: more is a mistake, or an attack on our stack. */
const depthMax = 64;

/** Stops at the first thing that no TOML can have there. */
class Fault {
  readonly span: Span;

  constructor(span: Span) {
    this.span = span;
  }
}

class Scan {
  readonly #text: TomlText;
  readonly #places: TomlPlaces;
  #table: TomlPath = [];
  /** Tables that have a header: a second one would be a mistake. */
  readonly #headers = new Set<string>();

  constructor(text: TomlText, places: TomlPlaces) {
    this.#text = text;
    this.#places = places;
  }

  run(): Span | null {
    try {
      for (;;) {
        this.#text.skipSpace({ lines: true });
        if (this.#text.atEnd) return null;
        if (this.#text.next === "[") this.#header();
        else this.#pair(this.#table);
        this.#text.skipSpace({ lines: false });
        if (!this.#text.atLineEnd) throw this.#here();
      }
    } catch (error) {
      if (error instanceof Fault) return error.span;
      throw error;
    }
  }

  #header(): void {
    const from = this.#text.at;
    const brackets = this.#text.take(/\[\[?/y)!.length;
    const keys = this.#dottedKey().map(({ key }) => key);
    if (this.#text.take(brackets === 2 ? /\]\]/y : /\]/y) === null) throw this.#here();
    const span = { from, length: this.#text.at - from };
    const path = this.#places.resolve(keys);
    this.#table = brackets === 2 ? this.#places.addTable(path) : path;
    const id = keyOf(this.#table);
    if (this.#headers.has(id)) throw new Fault(span);
    this.#headers.add(id);
    this.#places.put(this.#table, span, span);
    if (brackets === 2) this.#places.put(path, span, span);
  }

  #pair(table: TomlPath): void {
    const keys = this.#dottedKey();
    this.#text.skipSpace({ lines: false });
    if (this.#text.take(/=/y) === null) throw this.#here();
    this.#text.skipSpace({ lines: false });
    const path = [...table, ...keys.map(({ key }) => key)];
    const last = keys.at(-1)!.span;
    const value = this.#value(path);
    if (!this.#places.put(path, last, value)) throw new Fault(last);
    for (let depth = table.length + 1; depth < path.length; depth++) {
      this.#places.put(path.slice(0, depth), keys[depth - table.length - 1]!.span, value);
    }
  }

  #dottedKey(): { key: string; span: Span }[] {
    const keys = [];
    do {
      this.#text.skipSpace({ lines: false });
      const from = this.#text.at;
      const bare = this.#text.take(/[A-Za-z0-9_-]+/y);
      const key = bare ?? this.#quotedKey();
      keys.push({ key, span: { from, length: this.#text.at - from } });
      this.#text.skipSpace({ lines: false });
      if (keys.length > depthMax) throw this.#tooDeep();
    } while (this.#text.take(/\./y) !== null);
    return keys;
  }

  #quotedKey(): string {
    if (this.#text.next !== '"' && this.#text.next !== "'") throw this.#here();
    const from = this.#text.at;
    this.#string();
    const written = lossyText(fromLatin1(this.#text.slice(from)));
    try {
      return Object.keys(Bun.TOML.parse(`${written} = 1`) as object)[0] ?? "";
    } catch {
      throw new Fault({ from, length: this.#text.at - from }); // of several lines, say
    }
  }

  /** Take a value. @returns its span */
  #value(path: TomlPath): Span {
    const from = this.#text.at;
    if (path.length > depthMax) throw this.#tooDeep();
    switch (this.#text.next) {
      case '"':
      case "'":
        this.#string();
        break;
      case "[":
        this.#list(path);
        break;
      case "{":
        this.#inlineTable(path);
        break;
      default:
        if (!this.#text.takeScalar()) throw new Fault(this.#text.wordHere());
    }
    return { from, length: this.#text.at - from };
  }

  #string(): void {
    const fault = this.#text.takeString();
    if (fault !== null) throw new Fault(fault);
  }

  #list(path: TomlPath): void {
    const open = { from: this.#text.at, length: 1 };
    this.#text.take(/\[/y);
    for (let index = 0; ; index++) {
      this.#text.skipSpace({ lines: true });
      if (this.#text.take(/\]/y) !== null) return;
      if (this.#text.atEnd) throw new Fault(open);
      const span = this.#value([...path, index]);
      this.#places.put([...path, index], span, span);
      this.#text.skipSpace({ lines: true });
      if (this.#text.take(/,/y) !== null || this.#text.next === "]") continue;
      throw this.#text.atEnd ? new Fault(open) : this.#here();
    }
  }

  #inlineTable(path: TomlPath): void {
    const open = { from: this.#text.at, length: 1 };
    this.#text.take(/\{/y);
    for (;;) {
      this.#text.skipSpace({ lines: true });
      if (this.#text.take(/\}/y) !== null) return;
      if (this.#text.atEnd) throw new Fault(open);
      this.#pair(path);
      this.#text.skipSpace({ lines: true });
      if (this.#text.take(/,/y) !== null || this.#text.next === "}") continue;
      throw this.#text.atEnd ? new Fault(open) : this.#here();
    }
  }

  #tooDeep(): Fault {
    this.#places.isTooDeep = true;
    return this.#here();
  }

  #here(): Fault {
    return new Fault(this.#text.wordHere());
  }
}
