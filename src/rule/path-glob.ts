/** Patterns for what is below a directory, as .gitignore has them (gitignore(5), "PATTERN FORMAT"). */
import { fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { alternativesOf } from "./glob-braces.ts";
import { codePointsOf } from "./glob-characters.ts";
import { setAt } from "./glob-set.ts";
import { anyText, matchesTokens, type Token, tokensOf } from "./glob-tokens.ts";

/** `**` as a component: any number of directories. */
const anyDirectories = null;

type Component = readonly Token[] | typeof anyDirectories;

/** One of those that braces stand for. */
interface Alternative {
  /** Compared with the name alone, wherever it is. */
  readonly isOfName: boolean;
  readonly components: readonly Component[];
}

/** A place below a directory: `names[from]` to `names[to - 1]` lead to what is called `name`. */
export interface PlaceBelow {
  readonly names: readonly Uint8Array[];
  readonly from: number;
  readonly to: number;
  readonly name: Uint8Array;
}

/**
 * Without a slash it is compared with names, with one with the path below its directory. A slash at
 * the end makes it one for directories. Dots are characters like others.
 */
export class PathGlob {
  /** As it is written; one char for one byte. */
  readonly text: string;
  readonly isForDirectories: boolean;
  /** git compares bytes, where others compare characters: é is two to it. */
  readonly #isOfGit: boolean;
  readonly #alternatives: readonly Alternative[];

  /** Of a rule: with braces. @throws {WatchError} if they make too many alternatives of it */
  static ofRule(pattern: Uint8Array): PathGlob {
    const text = latin1(pattern);
    const tidy = text.replace(/\/+/g, "/");
    const isForDirectories = tidy.endsWith("/");
    const written = isForDirectories ? tidy.slice(0, -1) : tidy;
    const alternatives = alternativesOf(written).map((one) =>
      alternativeOf(codePointsOf(fromLatin1(one)), { isOfGit: false }),
    );
    return new PathGlob(text, alternatives, { isForDirectories, isOfGit: false });
  }

  /**
   * Of a line of an ignore file, without its exclamation mark.
   *
   * @returns null if git takes it for malformed: then it matches nothing
   */
  static ofIgnoreFile(text: string): PathGlob | null {
    const isForDirectories = text.endsWith("/");
    const pattern = fromLatin1(isForDirectories ? text.slice(0, -1) : text);
    if (pattern.length === 0 || !isSound(pattern)) return null;
    const alternative = alternativeOf(pattern, { isOfGit: true });
    return new PathGlob(text, [alternative], { isForDirectories, isOfGit: true });
  }

  private constructor(
    text: string,
    alternatives: readonly Alternative[],
    { isForDirectories, isOfGit }: { isForDirectories: boolean; isOfGit: boolean },
  ) {
    this.text = text;
    this.#alternatives = alternatives;
    this.isForDirectories = isForDirectories;
    this.#isOfGit = isOfGit;
  }

  matches(place: PlaceBelow, isDirectory: boolean): boolean {
    if (this.isForDirectories && !isDirectory) return false;
    for (let i = 0; i < this.#alternatives.length; i++) {
      const { isOfName, components } = this.#alternatives[i]!;
      const isMatch = isOfName
        ? this.#matchesName(components[0]!, place.name)
        : this.#matchesPath(components, place);
      if (isMatch) return true;
    }
    return false;
  }

  #matchesName(component: Component, name: Uint8Array): boolean {
    if (component === anyDirectories) return true;
    return matchesTokens(component, this.#isOfGit ? name : codePointsOf(name));
  }

  /** Back to the last `**` only, as with `*` in a name: each component meets each name at most once. */
  #matchesPath(components: readonly Component[], { names, from, to, name }: PlaceBelow): boolean {
    const length = to - from + 1;
    let component = 0;
    let at = 0;
    let afterDeep = -1;
    let deepEnd = 0;
    while (at < length) {
      const wanted = components[component];
      if (wanted === anyDirectories) {
        afterDeep = ++component;
        deepEnd = at;
      } else if (
        wanted !== undefined &&
        this.#matchesName(wanted, at === length - 1 ? name : names[from + at]!)
      ) {
        component++;
        at++;
      } else if (afterDeep >= 0) {
        component = afterDeep;
        at = ++deepEnd;
      } else return false;
    }
    return component === components.length;
  }
}

const slash = 0x2f;
const bracket = 0x5b;
const backslash = 0x5c;
const asterisk = 0x2a;

interface Dialect {
  readonly isOfGit: boolean;
}

function alternativeOf(pattern: ArrayLike<number>, dialect: Dialect): Alternative {
  const characters = Array.from(pattern);
  const isOfName = !characters.includes(slash);
  const parts = isOfName ? [characters] : partsOf(characters);
  const components = parts.map((part) => {
    return isOfName ? tokensOf(part, dialect) : componentOf(part, dialect);
  });
  // It is something in a directory that `**` at the end stands for, and not the directory itself.
  if (components.at(-1) === anyDirectories) components.push([anyText]);
  return { isOfName, components };
}

function componentOf(part: readonly number[], dialect: Dialect): Component {
  const isDeep = part.length > 1 && part.every((character) => character === asterisk);
  return isDeep ? anyDirectories : tokensOf(part, dialect);
}

/** What stands between slashes, but for the first. A slash in brackets parts nothing. */
function partsOf(pattern: readonly number[]): number[][] {
  const parts: number[][] = [[]];
  for (let at = pattern[0] === slash ? 1 : 0; at < pattern.length; at++) {
    const start = at;
    const isEscape = pattern[at] === backslash && at + 1 < pattern.length;
    if (isEscape) at++;
    else if (pattern[at] === bracket) at = (setAt(pattern, at)?.end ?? at + 1) - 1;
    if (pattern[at] === slash) parts.push([]);
    else parts.at(-1)!.push(...pattern.slice(start, at + 1));
  }
  return parts;
}

/** wildmatch.c of git gives up on an open bracket, an unknown class, and a backslash at the end. */
function isSound(pattern: Uint8Array): boolean {
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === backslash) {
      if (++at === pattern.length) return false;
    } else if (pattern[at] === bracket) {
      const found = setAt(pattern, at);
      if (found === null || found.hasUnknownClass) return false;
      at = found.end - 1;
    }
  }
  return true;
}
