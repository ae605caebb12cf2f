/** Path patterns, on bytes: `*` `?` `[a-z]` `{a,b}` as in glob(7), component by component. */
import { latin1, fromLatin1 } from "../../ffi/bytes.ts";

/** One component of a path. */
export type Component =
  | { readonly literal: Uint8Array }
  /** Matches a name, one char for one byte. */
  | { readonly pattern: RegExp };

/**
 * The components of an absolute pattern.
 *
 * A backslash makes the next character mean itself. A wildcard at the start of a name does not match
 * a dot there. No wildcard matches a slash.
 */
export function componentsOf(pattern: Uint8Array): Component[] {
  const names = latin1(pattern).split("/");
  return names.filter((name) => name !== "").map(componentOf);
}

function componentOf(text: string): Component {
  if (!/(?<!\\)(?:\\\\)*[*?[{]/.test(text))
    return { literal: fromLatin1(text.replace(/\\(.)/gs, "$1")) };
  return { pattern: new RegExp(`^${source(text)}$`, "s") };
}

const character =
  "[\\xc2-\\xdf][\\x80-\\xbf]|[\\xe0-\\xef][\\x80-\\xbf]{2}|[\\xf0-\\xf4][\\x80-\\xbf]{3}";

/** A UTF-8 character, or a byte that belongs to none. */
const oneCharacter = `(?:${character}|(?!${character})[^])`;

function source(text: string): string {
  let at = 0;
  let out = /^[*?[]/.test(text) ? "(?!\\.)" : "";
  let depth = 0;
  while (at < text.length) {
    const char = text[at]!;
    const set = char === "[" ? setAt(text, at) : null;
    if (char === "\\" && at + 1 < text.length) out += literal(text[++at]!);
    else if (char === "*") out += "[^]*";
    else if (char === "?") out += oneCharacter;
    else if (set !== null) {
      out += set.source;
      at = set.end - 1;
    } else if (char === "{" && text.includes("}", at)) {
      out += "(?:";
      depth++;
    } else if (char === "}" && depth > 0) {
      out += ")";
      depth--;
    } else if (char === "," && depth > 0) out += "|";
    else out += literal(char);
    at++;
  }
  return out + ")".repeat(depth);
}

/** `[abc]`, `[a-z]`, `[!a]`, `[^a]`; a `]` that comes first is a member. Null if it is never closed. */
function setAt(text: string, start: number): { source: string; end: number } | null {
  const match = /\[([!^]?)(\]?[^\]]*)\]/y;
  match.lastIndex = start;
  const found = match.exec(text);
  if (found === null || found[2] === "") return null;
  const members = found[2]!.replace(/[\\\]^]/g, "\\$&");
  const isSound = isValid(`[${members}]`);
  if (!isSound) return null; // "[z-a]" matches nothing; as a literal it is at least findable
  return { source: `[${found[1] === "" ? "" : "^"}${members}]`, end: match.lastIndex };
}

function isValid(expression: string): boolean {
  try {
    return new RegExp(expression) instanceof RegExp;
  } catch {
    return false;
  }
}

function literal(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
}

/** Which names of a directory an interest is in. */
export class NameFilter {
  readonly #pattern: RegExp;
  /** The same filter has the same key. */
  readonly key: string;

  constructor(pattern: RegExp) {
    this.#pattern = pattern;
    this.key = pattern.source;
  }

  matches(name: Uint8Array): boolean {
    return this.#pattern.test(latin1(name));
  }
}
