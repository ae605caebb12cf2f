/** Paths that are not there yet, and patterns: what matches now, and where the next match may appear. */
import { cString, fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { listDirectory, readLink, S_IFDIR, S_IFLNK } from "../../ffi/files.ts";
import { type Log, quoted } from "../log.ts";
import { type Component, componentsOf } from "../rule/glob.ts";
import type { WatchPath } from "../rule/rule.ts";
import { causeOf } from "./explain.ts";
import { statusOrNull } from "./own-outputs.ts";
import { namesMask, SideWatch, type WantedName } from "./side-watch.ts";

/** What a path of a rule stands for now. */
export type Match =
  /** To be watched itself. */
  | { readonly kind: "path"; readonly path: Uint8Array }
  /** To be watched through its directory, together with all that gets such a name. */
  | { readonly kind: "names"; readonly directory: Uint8Array; readonly pattern: RegExp };

/** A change between two looks: after so many there is no rest to be had, and the next record tells. */
const looksMax = 16;

/** Symbolic links that the kernel follows on one path (path_resolution(7)). */
const linksMax = 40;

export class Arrivals {
  readonly #side = new SideWatch(namesMask);
  readonly #log: Log;
  readonly #components = new Map<string, Component[]>();
  readonly #cannot = new Set<string>();
  #wanted: WantedName[] = [];

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
   * @param resolve asks `matchesOf` for each path that is a pattern or not there
   */
  settle<Result>(resolve: () => Result): Result {
    for (let look = 1; ; look++) {
      this.#wanted = [];
      const result = resolve();
      const isNew = this.#side.set(this.#wanted, (...why) => this.#sayCannot(...why));
      if (!isNew || look === looksMax) return result;
    }
  }

  matchesOf({ path, isGlob = false }: WatchPath): Match[] {
    const matches: Match[] = [];
    this.#visit("", this.#componentsOf(path, isGlob), matches);
    return matches;
  }

  #componentsOf(path: Uint8Array, isGlob: boolean): Component[] {
    const key = `${isGlob}${latin1(path)}`;
    const known = this.#components.get(key) ?? (isGlob ? componentsOf(path) : literals(path));
    this.#components.set(key, known);
    return known;
  }

  #visit(directory: string, components: readonly Component[], matches: Match[]): void {
    const [first, ...rest] = components;
    if (first === undefined)
      return void matches.push({ kind: "path", path: fromLatin1(directory || "/") });
    if ("literal" in first) return this.#visitName(directory, first.literal, rest, matches);
    const { pattern } = first;
    this.#wanted.push({ directory, matches: (name) => pattern.test(name) });
    const isLast = rest.length === 0;
    if (isLast && isDirectory(directory))
      matches.push({ kind: "names", directory: fromLatin1(directory || "/"), pattern });
    for (const name of namesIn(directory)) {
      if (!pattern.test(name) || !isDirectory(`${directory}/${name}`)) continue;
      this.#visit(`${directory}/${name}`, rest, matches);
    }
  }

  #visitName(
    directory: string,
    literal: Uint8Array,
    rest: readonly Component[],
    matches: Match[],
  ): void {
    const name = latin1(literal);
    const path = `${directory}/${name}`;
    const status = statusOrNull(cString(fromLatin1(path)));
    const leadsOn = status !== null && (rest.length === 0 || status.kind === S_IFDIR);
    if (leadsOn) return this.#visit(path, rest, matches);
    this.#waitFor(directory, name, linksMax);
  }

  /** Also where a symbolic link leads that leads nowhere yet. */
  #waitFor(directory: string, name: string, links: number): void {
    this.#wanted.push({ directory, matches: (one) => one === name });
    const path = cString(fromLatin1(`${directory}/${name}`));
    if (links === 0 || statusOrNull(path, { followSymlink: false })?.kind !== S_IFLNK) return;
    const target = latin1(readLink(path));
    const whole = target.startsWith("/") ? target : `${directory}/${target}`;
    let at = "";
    for (const component of whole.split("/").filter((one) => one !== "" && one !== ".")) {
      const next = component === ".." ? at.slice(0, at.lastIndexOf("/")) : `${at}/${component}`;
      if (statusOrNull(cString(fromLatin1(next))) === null)
        return this.#waitFor(at, component, links - 1);
      at = next;
    }
  }

  /** A directory that has gone meanwhile is looked for again; anything else is said once. */
  #sayCannot(directory: string, error: SyscallError): void {
    if (
      error.errno === Errno.ENOENT ||
      error.errno === Errno.ENOTDIR ||
      this.#cannot.has(directory)
    )
      return;
    this.#cannot.add(directory);
    const path = quoted(fromLatin1(directory === "" ? "/" : directory));
    this.#log.warn(`Cannot wait for what appears in ${path}: ${causeOf(error, "inotify")}`);
  }
}

function literals(path: Uint8Array): Component[] {
  const names = latin1(path).split("/");
  return names.filter((name) => name !== "").map((name) => ({ literal: fromLatin1(name) }));
}

function isDirectory(path: string): boolean {
  return statusOrNull(cString(fromLatin1(path === "" ? "/" : path)))?.kind === S_IFDIR;
}

function namesIn(directory: string): string[] {
  const names: string[] = [];
  try {
    listDirectory(
      cString(fromLatin1(directory === "" ? "/" : directory)),
      (name) => void names.push(latin1(name)),
    );
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error; // not there, or not ours to read: it is waited for
  }
  return names.sort();
}
