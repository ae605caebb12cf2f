/** What of the events at its paths a rule is for: names, kinds of files, sizes, ignore files. */
import { latin1 } from "../../ffi/bytes.ts";
import { type IgnoreChain, IgnoreFiles } from "./ignore-files.ts";
import { PathGlob } from "./path-glob.ts";
import {
  type DirectoryPath,
  type Disk,
  type FileType,
  type IgnoreRule,
  type Subject,
} from "./subject.ts";

/** Each part that is there must let an event through. */
export interface Filter {
  /** Patterns (`path-glob.ts`): only what one of them matches. */
  readonly include?: readonly Uint8Array[];
  /** Not what one of them matches, nor what is in a directory that one matches. */
  readonly exclude?: readonly Uint8Array[];
  readonly types?: readonly FileType[];
  /** Bytes. */
  readonly minSize?: number;
  readonly maxSize?: number;
  /** Absolute paths, and names that are looked for in each directory of the watch. */
  readonly ignoreFiles?: readonly Uint8Array[];
}

/** Why an event does not reach a rule. */
export type LeftOut =
  | { readonly by: "include" }
  | { readonly by: "exclude"; readonly glob: PathGlob }
  | { readonly by: "ignore file"; readonly line: IgnoreRule }
  | { readonly by: "type" }
  | { readonly by: "min_size" | "max_size" }
  | { readonly by: "size of no file" };

/** What is the same for everything in one directory. */
interface DirectoryState {
  /** From the watch down. */
  readonly names: readonly Uint8Array[];
  readonly excludedBy: LeftOut | null;
  /** It is in a directory that an include pattern with a slash at its end stands for. */
  readonly isIncluded: boolean;
  /** Null: the rule has no ignore files. */
  readonly chain: IgnoreChain | null;
}

const byInclude: LeftOut = { by: "include" };

const slash = 0x2f;

/** The filter of one rule, ready for use. */
export class RuleFilter {
  readonly filter: Filter;
  readonly #include: readonly PathGlob[] | null;
  readonly #exclude: readonly { readonly glob: PathGlob; readonly reason: LeftOut }[];
  readonly #ignore: IgnoreFiles | null;
  readonly #states = new WeakMap<DirectoryPath, DirectoryState>();

  constructor(filter: Filter, disk: Disk) {
    const { include, exclude = [], ignoreFiles } = filter;
    this.filter = filter;
    this.#include = include?.map((one) => PathGlob.ofRule(one)) ?? null;
    this.#exclude = exclude.map((one) => {
      const glob = PathGlob.ofRule(one);
      return { glob, reason: { by: "exclude", glob } };
    });
    this.#ignore = ignoreFiles === undefined ? null : new IgnoreFiles(ignoreFiles, disk);
  }

  /** What the name and the path say: that does not change in a file's life. Null: it is let through. */
  judgeName(subject: Subject): LeftOut | null {
    if (subject.isOfWatch) return null;
    const state = this.#stateOf(subject.directory, subject.rootLength);
    return this.#whyNot(state, subject) ?? (this.#isIncluded(state, subject) ? null : byInclude);
  }

  /** What the file is and how large it is now. What is gone has no size, and is let through. */
  judgeState(subject: Subject): LeftOut | null {
    const { types, minSize, maxSize } = this.filter;
    const { isDirectory } = subject;
    if (types !== undefined && !isOfType(types, subject)) return { by: "type" };
    if (minSize === undefined && maxSize === undefined) return null;
    if (isDirectory) return { by: "size of no file" };
    const { facts } = subject;
    if (facts === null) return null;
    if (facts.type !== "file") return { by: "size of no file" };
    if (minSize !== undefined && facts.size < minSize) return { by: "min_size" };
    return maxSize !== undefined && facts.size > maxSize ? { by: "max_size" } : null;
  }

  /**
   * Whether neither a directory nor anything in it can reach the rule, as long as it is called so and
   * the ignore files in the directories stay as they are: these are watched, those elsewhere are not.
   */
  excludesAllIn(directory: DirectoryPath, rootLength: number, name: Uint8Array): boolean {
    const state = this.#stateOf(directory, rootLength);
    const chain = state.chain === null ? null : { ...state.chain, common: [] };
    return this.#whyNot({ ...state, chain }, { name, isDirectory: true }) !== null;
  }

  /** The same for filters that exclude the same directories. */
  get exclusions(): string {
    const { exclude = [], ignoreFiles = [] } = this.filter;
    return JSON.stringify([exclude.map(latin1), ignoreFiles.map(latin1)]);
  }

  /** Names of files that decide which directories are left out. */
  get ignoreNames(): readonly Uint8Array[] {
    return this.#ignore?.names ?? [];
  }

  /** Of a place in a directory: the pattern or line by which it is left out with all that may be in it. */
  #whyNot(
    { names, excludedBy, chain }: DirectoryState,
    { name, isDirectory }: Pick<Subject, "name" | "isDirectory">,
  ): LeftOut | null {
    if (excludedBy !== null) return excludedBy;
    const place = { names, from: 0, to: names.length, name };
    for (let i = 0; i < this.#exclude.length; i++)
      if (this.#exclude[i]!.glob.matches(place, isDirectory)) return this.#exclude[i]!.reason;
    if (chain === null) return null;
    const line = this.#ignore!.judge(chain, place, isDirectory);
    return line === null ? null : { by: "ignore file", line };
  }

  #isIncluded({ names, isIncluded }: DirectoryState, { name, isDirectory }: Subject): boolean {
    if (this.#include === null || isIncluded) return true;
    const place = { names, from: 0, to: names.length, name };
    for (let i = 0; i < this.#include.length; i++)
      if (this.#include[i]!.matches(place, isDirectory)) return true;
    return false;
  }

  #stateOf(directory: DirectoryPath, rootLength: number): DirectoryState {
    const known = this.#states.get(directory);
    if (known !== undefined) return known;
    const names = namesIn(directory.raw, rootLength);
    const state = {
      names,
      excludedBy: this.#firstExcluding(names),
      isIncluded: names.some((_, at) => this.#includesAllIn(names, at)),
      chain: this.#ignore?.chainOf(directory, rootLength, names) ?? null,
    };
    this.#states.set(directory, state);
    return state;
  }

  #firstExcluding(names: readonly Uint8Array[]): LeftOut | null {
    for (const [to, name] of names.entries())
      for (const { glob, reason } of this.#exclude)
        if (glob.matches({ names, from: 0, to, name }, true)) return reason;
    return null;
  }

  /** A pattern for directories stands for what is in them too. */
  #includesAllIn(names: readonly Uint8Array[], to: number): boolean {
    const place = { names, from: 0, to, name: names[to]! };
    return (this.#include ?? []).some((glob) => glob.isForDirectories && glob.matches(place, true));
  }
}

/** Of something that is gone only that it was no directory is known. */
function isOfType(types: readonly FileType[], subject: Subject): boolean {
  if (subject.isDirectory) return types.includes("dir");
  if (types.every((type) => type === "dir")) return false;
  const { facts } = subject;
  return facts === null || facts.type === "dir" || types.includes(facts.type);
}

function namesIn(raw: Uint8Array, rootLength: number): Uint8Array[] {
  const names: Uint8Array[] = [];
  let start = rootLength;
  for (let at = rootLength; at < raw.length; at++) {
    if (raw[at] !== slash) continue;
    names.push(raw.slice(start, at));
    start = at + 1;
  }
  return names;
}
