/** A pattern for one name, as tokens, and the matching of a name with them. */
import { type CharacterSet, isMember, setAt } from "./glob-set.ts";

/** A character that means itself, or stands for others. */
export type Token = number | CharacterSet;

const anyCharacter = -1;
export const anyText = -2;

const asterisk = 0x2a;
const question = 0x3f;
const bracket = 0x5b;
const backslash = 0x5c;

export function isCharacter(token: Token): boolean {
  return typeof token === "number" && token >= 0;
}

/** @param characters by number: of code points, or of bytes */
export function tokensOf(characters: ArrayLike<number>, { isOfGit = false } = {}): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    const set = character === bracket ? setAt(characters, at, { isOfGit }) : null;
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

/**
 * Back to the last `*` only: what an earlier one could still give, the last one can take as well. So a
 * pattern of an untrusted user costs no more than its length times the name's.
 */
export function matchesTokens(tokens: readonly Token[], name: ArrayLike<number>): boolean {
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
