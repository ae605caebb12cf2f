/** Path patterns, on bytes: `*` `?` `[a-z]` `{a,b}` as in glob(7) and bash, component by component. */
import { fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { alternativesOf } from "./glob-braces.ts";
import { codePointsOf } from "./glob-characters.ts";
import { type CharacterSet, isMember, setAt } from "./glob-set.ts";

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
  const alternatives = alternativesOf(text).map((one) => tokensOf(fromLatin1(one)));
  const isLiteral = alternatives.length === 1 && alternatives[0]!.every(isCharacter);
  return isLiteral
    ? { literal: fromLatin1(unescaped(text)) }
    : { pattern: new NamePattern(text, alternatives) };
}

/** What is meant by a component without wildcards. */
function unescaped(text: string): string {
  return text.replace(/\\(.)/gs, "$1");
}

/** A character that means itself, or stands for others. */
type Token = number | CharacterSet;

const anyCharacter = -1;
const anyText = -2;

const asterisk = 0x2a;
const question = 0x3f;
const bracket = 0x5b;
const backslash = 0x5c;
const dot = 0x2e;

function isCharacter(token: Token): boolean {
  return typeof token === "number" && token >= 0;
}

function tokensOf(text: Uint8Array): Token[] {
  const characters = codePointsOf(text);
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    const set = character === bracket ? setAt(characters, at) : null;
    if (character === asterisk) tokens.push(anyText);
    else if (character === question) tokens.push(anyCharacter);
    else if (set !== null) {
      tokens.push(set.set);
      at = set.end - 1;
    } else if (character === backslash && at + 1 < characters.length)
      tokens.push(characters[++at]!);
    else tokens.push(character);
  }
  return tokens;
}

/** The names that a component with wildcards stands for. */
export class NamePattern {
  /** The same pattern has the same key. */
  readonly key: string;
  readonly #alternatives: readonly (readonly Token[])[];

  /** Of one name, which is not written as a pattern. */
  static of(literal: Uint8Array): NamePattern {
    return new NamePattern(`\0${latin1(literal)}`, [Array.from(codePointsOf(literal))]);
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

/**
 * Back to the last `*` only: what an earlier one could still give, the last one can take as well. So a
 * pattern of an untrusted user costs no more than its length times the name's.
 */
function matchesOne(tokens: readonly Token[], name: ArrayLike<number>): boolean {
  if (name[0] === dot && tokens[0] !== dot) return false;
  let token = 0;
  let at = 0;
  let afterStar = -1;
  let starEnd = 0;
  while (at < name.length) {
    const wanted = tokens[token];
    if (wanted === anyText) {
      afterStar = ++token;
      starEnd = at;
    } else if (wanted !== undefined && accepts(wanted, name[at]!)) {
      token++;
      at++;
    } else if (afterStar >= 0) {
      token = afterStar;
      at = ++starEnd;
    } else return false;
  }
  while (tokens[token] === anyText) token++;
  return token === tokens.length;
}

function accepts(token: Token, character: number): boolean {
  if (typeof token === "object") return isMember(token, character);
  return token === character || token === anyCharacter;
}
