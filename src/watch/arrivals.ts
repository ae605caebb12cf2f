/** Paths that are not there yet, and patterns: what matches now, and where the next match may appear. */
import { cString, fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import {
  DT_DIR,
  DT_LNK,
  DT_UNKNOWN,
  listDirectory,
  readLink,
  S_IFDIR,
  S_IFLNK,
} from "../../ffi/files.ts";
import { type Log, quoted } from "../log.ts";
import { type Component, componentsOf, NamePattern } from "../rule/glob.ts";
import { causeOf } from "./explain.ts";
import { isLimit, limitText } from "./limits.ts";
import { statusOrNull } from "./own-outputs.ts";
import { type Cannot, isGone, namesMask, SideWatch, type Wanted } from "./side-watch.ts";

/** What a path of a rule stands for now. */
export type Match =
  /** To be watched itself. */
  | { readonly kind: "path"; readonly path: Uint8Array }
  /** To be watched through its directory, together with all that gets such a name. */
  | { readonly kind: "names"; readonly directory: Uint8Array; readonly pattern: NamePattern };

/** What cannot be watched beforehand is said by the look, if it is still wanted then. */
const ignored: Cannot = () => {};

/** A change between two looks: after so many there is no rest to be had, and the next record tells. */
const looksMax = 16;

/** Symbolic links that the kernel follows on one path (path_resolution(7)). */
const linksMax = 40;

export class Arrivals {
  readonly #side = new SideWatch(namesMask);
  readonly #log: Log;
  readonly #components = new Map<string, readonly Component[]>();
  readonly #cannot = new Set<string>();
  /** What a limit of the kernel keeps from being waited for, and is not said yet. */
  #short: { readonly directory: string; readonly error: SyscallError }[] = [];
  #wanted: Wanted[] = [];
  /** Directories above watched paths, in the look in hand. */
  readonly #above = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  get pollFd(): number {
    return this.#side.pollFd;
  }

  /** @returns whether something may match now that did not, or the other way round */
  read(): boolean {
    return this.#side.read();
  }

  /**
   * Call `resolve` until it has seen all that is there by the time that its absence would be noticed.
   *
   * @param resolve asks `matchesOf` for each pattern, `waitForAnother` for other paths that may change
   * @param likely plain paths that are probably there: with the directories above them watched beforehand,
   *   one look is enough
   */
  settle<Result>(resolve: () => Result, likely: readonly Uint8Array[] = []): Result {
    this.#startOver();
    for (const path of likely) this.waitForMoveAbove(path);
    if (likely.length > 0) this.#side.set(this.#wanted, ignored);
    for (let look = 1; ; look++) {
      this.#startOver();
      const result = resolve();
      const isNew = this.#side.set(this.#wanted, this.#sayCannot);
      if (isNew && look < looksMax) continue;
      this.#sayShort();
      return result;
    }
  }

  #startOver(): void {
    this.#wanted = [];
    this.#above.clear();
  }

  /**
   * What there is of a pattern now; from now on a change of that is waited for.
   *
   * @throws {WatchError} whose message says what is wrong with the pattern
   */
  matchesOf(pattern: Uint8Array): Match[] {
    const matches: Match[] = [];
    this.#visit("", this.#componentsOf(pattern), matches);
    return matches;
  }

  /** Wait for another thing at a plain path: at its symbolic links, and where nothing is yet. */
  waitForAnother(path: Uint8Array): void {
    this.#trace("", namesOf(latin1(path)));
  }

  /**
   * Wait for a directory above a plain path to be moved, removed or replaced: the kernel watches what is at
   * the path, and says nothing of the way to it. Each directory counts once, however many paths lead
   * through it.
   */
  waitForMoveAbove(path: Uint8Array): void {
    for (let at = above(latin1(path)); at !== "" && !this.#above.has(at); at = above(at)) {
      this.#above.add(at);
      this.#wanted.push({ directory: at, names: null });
    }
  }

  #componentsOf(path: Uint8Array): readonly Component[] {
    const key = latin1(path);
    const known = this.#components.get(key) ?? componentsOf(path);
    this.#components.set(key, known);
    return known;
  }

  #visit(directory: string, components: readonly Component[], matches: Match[]): void {
    const [first, ...rest] = components;
    if (first === undefined) matches.push({ kind: "path", path: fromLatin1(directory || "/") });
    else if ("literal" in first) this.#visitName(directory, latin1(first.literal), rest, matches);
    else this.#visitPattern(directory, first.pattern, rest, matches);
  }

  #visitName(directory: string, name: string, rest: readonly Component[], matches: Match[]): void {
    const path = `${directory}/${name}`;
    const kind = kindOf(path);
    const isLink = kind === S_IFLNK;
    if (isLink) this.#trace(directory, [name]);
    else if (kind === S_IFDIR && rest.length > 0)
      this.#wanted.push({ directory: path, names: null });
    const behind = isLink ? kindBehind(path) : kind;
    if (behind === S_IFDIR || (isLink && behind !== null && rest.length === 0))
      return this.#visit(path, rest, matches);
    this.#wanted.push({ directory, names: name });
    if (behind === null || rest.length > 0) return;
    const pattern = NamePattern.of(fromLatin1(name));
    matches.push({ kind: "names", directory: fromLatin1(directory || "/"), pattern });
  }

  #visitPattern(
    directory: string,
    pattern: NamePattern,
    rest: readonly Component[],
    matches: Match[],
  ): void {
    const links = new Set<string>();
    this.#wanted.push({
      directory,
      names: (name, isDirectory) =>
        pattern.test(name) && (isDirectory || links.has(name) || mayLeadOn(`${directory}/${name}`)),
    });
    const entries = this.#matching(directory, pattern);
    if (entries === null) return;
    if (rest.length === 0)
      matches.push({ kind: "names", directory: fromLatin1(directory || "/"), pattern });
    for (const { name, isLink } of entries) {
      const path = `${directory}/${name}`;
      if (isLink) {
        links.add(name);
        this.#trace(directory, [name]);
      }
      if (!isLink || kindBehind(path) === S_IFDIR) this.#visit(path, rest, matches);
    }
  }

  /** Directories, and what may lead to one. @returns null if there is no such directory */
  #matching(directory: string, pattern: NamePattern): { name: string; isLink: boolean }[] | null {
    const found: { name: string; isLink: boolean }[] = [];
    try {
      listDirectory(cString(fromLatin1(directory || "/")), (bytes, type) => {
        const mayBe = type === DT_DIR || type === DT_LNK || type === DT_UNKNOWN;
        if (!mayBe || !pattern.matches(bytes)) return;
        const name = latin1(bytes);
        const kind = type === DT_UNKNOWN ? kindOf(`${directory}/${name}`) : null;
        const isLink = type === DT_LNK || kind === S_IFLNK;
        if (isLink || type === DT_DIR || kind === S_IFDIR) found.push({ name, isLink });
      });
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (!isGone(error)) this.#sayCannot(directory, error);
      return null;
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Follow a path, and wait at each place where it may come to lead elsewhere. */
  #trace(start: string, components: readonly string[], links = linksMax): void {
    let at = start;
    for (const [index, component] of components.entries()) {
      if (component === "..") {
        at = at.slice(0, Math.max(at.lastIndexOf("/"), 0));
        continue;
      }
      const path = `${at}/${component}`;
      const kind = kindOf(path);
      if (kind !== S_IFDIR) this.#wanted.push({ directory: at, names: component });
      else this.#wanted.push({ directory: path, names: null });
      if (kind === S_IFLNK) {
        const target = linkTarget(path);
        if (target === null || links === 0) return;
        const rest = components.slice(index + 1);
        const from = target.startsWith("/") ? "" : at;
        return this.#trace(from, [...namesOf(target), ...rest], links - 1);
      }
      if (kind !== S_IFDIR) return;
      at = path;
    }
  }

  /** Once for each directory, and once for each limit. */
  readonly #sayCannot: Cannot = (directory, error) => {
    if (this.#cannot.has(directory)) return;
    this.#cannot.add(directory);
    if (isLimit(error)) this.#short.push({ directory, error });
    else this.#sayWhy(quotedPath(directory), error, 0);
  };

  #sayShort(): void {
    const [first] = this.#short;
    if (first === undefined) return;
    const others = this.#short.length - 1;
    const what = `${quotedPath(first.directory)}${others === 0 ? "" : ` and ${others} more`}`;
    this.#sayWhy(what, first.error, this.#side.size + others + 1);
    this.#short = [];
  }

  #sayWhy(what: string, error: SyscallError, needed: number): void {
    const why = isLimit(error) ? limitText(error, "inotify", needed) : causeOf(error, "inotify");
    this.#log.warn(`Cannot wait for what appears in ${what}: ${why}`);
  }
}

function quotedPath(path: string): string {
  return quoted(fromLatin1(path || "/"));
}

/** The directory that a path's last name is in; "" is the root. */
function above(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/** Null if there is nothing, or nothing that may be looked at. */
function kindOf(path: string): number | null {
  return statusOrNull(cString(fromLatin1(path)), { followSymlink: false })?.kind ?? null;
}

function kindBehind(path: string): number | null {
  return statusOrNull(cString(fromLatin1(path)))?.kind ?? null;
}

function mayLeadOn(path: string): boolean {
  const kind = kindOf(path);
  return kind === S_IFDIR || kind === S_IFLNK;
}

function linkTarget(path: string): string | null {
  try {
    return latin1(readLink(cString(fromLatin1(path))));
  } catch (error) {
    if (error instanceof SyscallError) return null; // another thing by now: its coming is told
    throw error;
  }
}
