/** Which rules name which path now: patterns, paths that are not there yet and symbolic links resolved. */
import { cString, fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { fileStatus, S_IFDIR, S_IFLNK } from "../../ffi/files.ts";
import { WatchError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import type { NamePattern } from "../rule/glob.ts";
import type { WatchPath } from "../rule/rule.ts";
import type { Arrivals, Match } from "../watch/arrivals.ts";
import { cannotWatch, literalNote } from "../watch/explain.ts";
import { statusOrNull } from "../watch/own-outputs.ts";
import { isGone } from "../watch/side-watch.ts";
import { claimantsOf, type Plan, type PlannedRule } from "./plan.ts";

/** A rule that names a path. */
export interface Claim {
  readonly rule: number;
  readonly planned: PlannedRule;
  readonly recursive: boolean;
  /** Not below directories whose name starts with a dot. */
  readonly skipsHidden: boolean;
  /** As the rule names it. */
  readonly watch: WatchPath;
  /** The path is a directory, and only what has such a name in it is claimed. */
  readonly names: NamePattern | null;
}

export function isOfGate({ planned }: Claim): boolean {
  return planned.gate !== undefined;
}

/** All rules that name one path. */
export interface Claims {
  readonly path: Uint8Array;
  readonly list: Claim[];
  /** A symbolic link is on the way: the path may come to lead elsewhere without a word from what it led to. */
  readonly isLinked: boolean;
}

export interface ClaimsOptions {
  readonly log: Log;
  /** A path that is watched need not be looked for: its own records tell when it goes. */
  readonly isWatched: (key: string) => boolean;
  /** A path cannot be watched as the rule has it. */
  readonly onFailure: (text: string) => void;
}

export class ClaimFinder {
  readonly #arrivals: Arrivals;
  readonly #options: ClaimsOptions;
  /** Paths and patterns that nothing is at, and the log says so. */
  #waiting = new Set<string>();
  #stillWaiting = new Set<string>();
  /** Paths that were there since the plan was set: when they go, it is said of the watch. */
  readonly #wereThere = new Set<string>();
  readonly #linked = new Map<string, boolean>();
  #everyPathMustWork = false;

  constructor(arrivals: Arrivals, options: ClaimsOptions) {
    this.#arrivals = arrivals;
    this.#options = options;
  }

  /** How many paths and patterns nothing is at yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether nothing is at a path yet, or any more. */
  isWaitingFor(path: Uint8Array): boolean {
    return this.#waiting.has(keyOf({ path }));
  }

  /**
   * By the bytes of the path, in the order of the plan. A rule that names one path twice has one claim,
   * the deeper one.
   *
   * @param isStart of the plan: a path that is missing may be an error; later it is not
   */
  find(plan: Plan, { isStart }: { readonly isStart: boolean }): ReadonlyMap<string, Claims> {
    this.#everyPathMustWork = plan.everyPathMustWork && isStart;
    if (isStart) this.#wereThere.clear();
    const found = this.#arrivals.settle(() => this.#look(plan), isStart ? plainPathsOf(plan) : []);
    this.#waiting = this.#stillWaiting;
    return found;
  }

  #look(plan: Plan): ReadonlyMap<string, Claims> {
    this.#stillWaiting = new Set();
    this.#linked.clear();
    const byKey = new Map<string, Claims>();
    claimantsOf(plan).forEach((planned, rule) => {
      for (const watch of planned.watch) this.#claimAll(byKey, { planned, rule, watch });
    });
    return byKey;
  }

  #claimAll(
    byKey: Map<string, Claims>,
    { planned, rule, watch }: { planned: PlannedRule; rule: number; watch: WatchPath },
  ): void {
    for (const match of this.#matches(watch)) {
      const path = match.kind === "names" ? match.directory : match.path;
      const key = latin1(path);
      const claims = byKey.get(key) ?? { path, list: [], isLinked: this.#isLinked(key) };
      byKey.set(key, claims);
      addClaim(claims.list, {
        rule,
        planned,
        recursive: match.kind === "path" && watch.recursive,
        skipsHidden: watch.skipsDotDirectories === true,
        watch,
        names: match.kind === "names" ? match.pattern : null,
      });
    }
  }

  #matches(watch: WatchPath): readonly Match[] {
    try {
      return watch.isGlob === true ? this.#matchesOfPattern(watch) : this.#matchOfPath(watch);
    } catch (error) {
      if (!(error instanceof WatchError)) throw error;
      this.#fail(watch.path, error.message);
      return [];
    }
  }

  #matchesOfPattern(watch: WatchPath): readonly Match[] {
    const matches = this.#arrivals.matchesOf(watch.path).filter((one) => isAccepted(one, watch));
    this.#note(watch, matches.length === 0 ? "nothing matches it yet" : null);
    return matches;
  }

  #matchOfPath(watch: WatchPath): readonly Match[] {
    const { path } = watch;
    const key = latin1(path);
    const error = this.#options.isWatched(key) ? null : errorAt(path);
    if (error !== null && (!isGone(error) || this.#everyPathMustWork)) {
      this.#options.onFailure(cannotWatch(path, error, "inotify"));
      return [];
    }
    this.#note(watch, error === null ? null : `it is not there yet${literalNote(path)}`);
    const why = error === null ? refusal(path, watch) : null;
    if (why !== null) this.#fail(path, `${why}; correct the path or the rule`);
    const isMatch = error === null && why === null;
    if (!isMatch || this.#isLinked(key)) this.#arrivals.waitForAnother(path);
    else this.#arrivals.waitForMoveAbove(path);
    return isMatch ? [{ kind: "path", path }] : [];
  }

  #fail(path: Uint8Array, why: string): void {
    this.#options.onFailure(`Cannot watch ${quoted(path)}: ${why}`);
  }

  /** Each component's directory is asked for once in a look. */
  #isLinked(path: string): boolean {
    const known = this.#linked.get(path);
    if (known !== undefined) return known;
    const parent = path.slice(0, path.lastIndexOf("/"));
    const isLinked = (parent !== "" && this.#isLinked(parent)) || isSymlink(fromLatin1(path));
    this.#linked.set(path, isLinked);
    return isLinked;
  }

  /** @param why nothing is watched; null if something is there */
  #note(watch: Pick<WatchPath, "path" | "isGlob">, why: string | null): void {
    const { path } = watch;
    const key = keyOf(watch);
    if (why === null) {
      this.#wereThere.add(key);
      if (this.#waiting.delete(key))
        this.#options.log.info(`${quoted(path)} is there now: watching it`);
      return;
    }
    this.#stillWaiting.add(key);
    if (this.#waiting.has(key)) return;
    this.#waiting.add(key);
    if (this.#wereThere.has(key)) return;
    const promise = "it is watched as soon as it appears";
    this.#options.log.warn(`Waiting for ${quoted(path)}: ${why}; ${promise}`);
  }
}

function keyOf({ path, isGlob = false }: Pick<WatchPath, "path" | "isGlob">): string {
  return `${isGlob} ${latin1(path)}`;
}

function plainPathsOf(plan: Plan): Uint8Array[] {
  return claimantsOf(plan).flatMap(({ watch }) =>
    watch.filter(({ isGlob }) => isGlob !== true).map(({ path }) => path),
  );
}

/** The claims of one rule follow each other. */
function addClaim(list: Claim[], claim: Claim): void {
  for (let at = list.length - 1; at >= 0 && list[at]!.rule === claim.rule; at--) {
    if (list[at]!.names?.key !== claim.names?.key) continue;
    if (claim.recursive) list[at] = claim;
    return;
  }
  list.push(claim);
}

/** Whether the rule wants what is at a path of it now. */
export function isWanted({ watch, names }: Claim, path: Uint8Array): boolean {
  return names !== null || refusal(path, watch) === null;
}

function isAccepted(match: Match, watch: WatchPath): boolean {
  if (match.kind === "names") return watch.refusesFile !== true;
  return refusal(match.path, watch) === null;
}

/** What the rule does not want to watch, though it is there. */
function refusal(
  path: Uint8Array,
  { refusesSymlink = false, refusesFile = false }: WatchPath,
): string | null {
  if (refusesSymlink && isSymlink(path))
    return "it is a symbolic link, and the rule says not to follow it";
  if (refusesFile && statusOrNull(cString(path))?.kind !== S_IFDIR)
    return "it is no directory, and the rule is for directories only";
  return null;
}

function isSymlink(path: Uint8Array): boolean {
  return statusOrNull(cString(path), { followSymlink: false })?.kind === S_IFLNK;
}

/** Null if something is there. */
function errorAt(path: Uint8Array): SyscallError | null {
  try {
    fileStatus(cString(path));
    return null;
  } catch (error) {
    if (error instanceof SyscallError) return error;
    throw error;
  }
}

/** The same for claims that ask for the same. */
export function signatureOf({ rule, recursive, skipsHidden, names }: Claim): string {
  return `${rule} ${recursive} ${skipsHidden} ${names?.key ?? ""}`;
}
