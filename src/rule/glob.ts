/** Path patterns, on bytes: `*` `?` `[a-z]` `{a,b}` as in glob(7) and bash, component by component. */
import { fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { alternativesOf } from "./glob-braces.ts";
import { codePointsOf } from "./glob-characters.ts";
import { isCharacter, matchesTokens, type Token, tokensOf } from "./glob-tokens.ts";

/** One component of a path. */
export type Component =
  | { readonly literal: Uint8Array }
  /** Which names it stands for. */
  | { readonly pattern: NamePattern };

/**
 * The components of an absolute pattern.
 *
 * A backslash makes the next character mean itself. No wildcard matches a dot at the start of a name, or a slash.
 *
 * @throws {WatchError} if braces make too many alternatives of it
 */
export function componentsOf(pattern: Uint8Array): Component[] {
  const texts = latin1(pattern).split("/");
  return texts.filter((text) => text !== "").map(componentOf);
}

/** A pattern of a whole text: slashes in it mean themselves. @throws {WatchError} as `componentsOf` */
export function patternOf(text: Uint8Array): NamePattern {
  return asPattern(componentOf(latin1(text)));
}

/** What a component stands for, also if that is one name. */
export function asPattern(component: Component): NamePattern {
  return "pattern" in component ? component.pattern : NamePattern.of(component.literal);
}

function componentOf(text: string): Component {
  const alternatives = alternativesOf(text).map((one) => tokensOf(codePointsOf(fromLatin1(one))));
  const isLiteral = alternatives.length === 1 && alternatives[0]!.every(isCharacter);
  return isLiteral
    ? { literal: fromLatin1(unescaped(text)) }
    : { pattern: new NamePattern(text, alternatives) };
}

/** What is meant by a component without wildcards. */
function unescaped(text: string): string {
  return text.replace(/\\(.)/gs, "$1");
}

/** A component that stands for the same names as a pattern. */
export function writtenPattern({ key }: NamePattern): Uint8Array {
  const isLiteral = key.startsWith(literalKey);
  return fromLatin1(isLiteral ? key.slice(1).replace(/[\\*?[\]{},]/g, "\\$&") : key);
}

const dot = 0x2e;

/** Begins the key of what is not written as a pattern. */
const literalKey = "\0";

/** The names that a component with wildcards stands for. */
export class NamePattern {
  /** The same pattern has the same key. */
  readonly key: string;
  readonly #alternatives: readonly (readonly Token[])[];

  /** Of one name, which is not written as a pattern. */
  static of(literal: Uint8Array): NamePattern {
    return new NamePattern(literalKey + latin1(literal), [Array.from(codePointsOf(literal))]);
  }

  /** @param key the component as it is written */
  constructor(key: string, alternatives: readonly (readonly Token[])[]) {
    this.key = key;
    this.#alternatives = alternatives;
  }

  /** The same for a name with one char for one byte. */
  test(name: string): boolean {
    return this.matches(fromLatin1(name));
  }

  matches(name: Uint8Array): boolean {
    const characters = codePointsOf(name);
    for (let i = 0; i < this.#alternatives.length; i++)
      if (matchesOne(this.#alternatives[i]!, characters)) return true;
    return false;
  }
}

/** No wildcard matches a dot at the start. */
function matchesOne(tokens: readonly Token[], name: ArrayLike<number>): boolean {
  if (name[0] === dot && tokens[0] !== dot) return false;
  return matchesTokens(tokens, name);
}
