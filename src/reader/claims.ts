/** Which paths there are to watch, and which rules claim each: patterns become what matches them now. */
import { cString, latin1 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { fileStatus, S_IFDIR, S_IFLNK } from "../../ffi/files.ts";
import { type Log, quoted } from "../log.ts";
import { NameFilter } from "../rule/glob.ts";
import type { WatchPath } from "../rule/rule.ts";
import { Arrivals, type Match } from "../watch/arrivals.ts";
import { statusOrNull } from "../watch/own-outputs.ts";
import type { Plan, PlannedRule } from "./plan.ts";

/** A rule that names a path. */
export interface Claim {
  readonly rule: number;
  readonly planned: PlannedRule;
  readonly recursive: boolean;
  /** Not below directories whose name starts with a dot. */
  readonly skipsHidden: boolean;
  /** The path is a directory, and only what has such a name in it is claimed. */
  readonly names: NameFilter | null;
}

export interface ClaimedPath {
  readonly path: Uint8Array;
  readonly claims: Claim[];
}

/** What the finder has to know and to tell. */
export interface FinderHooks {
  readonly log: Log;
  /** Whether the path is watched: its own records tell when it goes. */
  isWatched(key: string): boolean;
  /** The path can't be watched. */
  fail(path: Uint8Array, why: string): void;
}

export class ClaimFinder {
  readonly arrivals: Arrivals;
  readonly #hooks: FinderHooks;
  /** Paths of which the log says that they are not there. */
  #waiting = new Set<string>();
  #waitedBefore: ReadonlySet<string> = this.#waiting;

  constructor(hooks: FinderHooks) {
    this.#hooks = hooks;
    this.arrivals = new Arrivals(hooks.log);
  }

  /** How many paths and patterns nothing is at. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * By path as a key, in the order of the plan.
   *
   * @param mustBeThere a path that is not there is a failure, and nothing to wait for
   */
  find(plan: Plan, { mustBeThere }: { readonly mustBeThere: boolean }): Map<string, ClaimedPath> {
    return this.arrivals.settle(() => {
      this.#waitedBefore = this.#waiting;
      this.#waiting = new Set();
      const byKey = new Map<string, ClaimedPath>();
      plan.rules.forEach((planned, rule) => {
        for (const watch of planned.watch) {
          for (const match of this.#matches(watch, mustBeThere))
            claim(byKey, match, { planned, rule, watch });
        }
      });
      return byKey;
    });
  }

  #matches(watch: WatchPath, mustBeThere: boolean): readonly Match[] {
    const { path, isGlob = false } = watch;
    const key = latin1(path);
    if (!isGlob && (this.#hooks.isWatched(key) || !isMissing(path))) {
      if (this.#waitedBefore.has(key))
        this.#hooks.log.info(`${quoted(path)} is there now: watching it`);
      return this.#isRefused(watch) ? [] : [{ kind: "path", path }];
    }
    if (!isGlob && mustBeThere) {
      this.#hooks.fail(path, `there is no such file or directory${hintFor(path)}`);
      return [];
    }
    const matches = this.arrivals.matchesOf(watch);
    if (matches.length === 0) this.#wait(watch, key);
    return matches;
  }

  #wait({ path, isGlob = false }: WatchPath, key: string): void {
    this.#waiting.add(key);
    if (this.#waitedBefore.has(key)) return;
    const state = isGlob ? "nothing matches it yet" : "it is not there yet";
    const hint = isGlob ? "" : hintFor(path);
    this.#hooks.log.warn(
      `Waiting for ${quoted(path)}: ${state}; it is watched as soon as it appears${hint}`,
    );
  }

  /** What the rule does not want to watch, though it is there. */
  #isRefused({ path, refusesSymlink = false, refusesFile = false }: WatchPath): boolean {
    const kind = (followSymlink: boolean) => statusOrNull(cString(path), { followSymlink })?.kind;
    const isLink = refusesSymlink && kind(false) === S_IFLNK;
    const isFile = refusesFile && kind(true) !== S_IFDIR;
    if (isLink) this.#hooks.fail(path, "it is a symbolic link, and the rule says not to follow it");
    else if (isFile)
      this.#hooks.fail(path, "it is no directory, and the rule is for directories only");
    return isLink || isFile;
  }
}

/** A rule that names one path twice has one claim, the deeper one. */
function claim(
  byKey: Map<string, ClaimedPath>,
  match: Match,
  { planned, rule, watch }: { planned: PlannedRule; rule: number; watch: WatchPath },
): void {
  const isNames = match.kind === "names";
  const path = isNames ? match.directory : match.path;
  const one: Claim = {
    rule,
    planned,
    recursive: !isNames && watch.recursive,
    skipsHidden: watch.skipsDotDirectories === true,
    names: isNames ? new NameFilter(match.pattern) : null,
  };
  const key = latin1(path);
  const claimed = byKey.get(key) ?? { path, claims: [] };
  byKey.set(key, claimed);
  const { claims } = claimed;
  const twin = claims.findIndex(
    (other) => other.rule === rule && other.names?.key === one.names?.key,
  );
  if (twin < 0) claims.push(one);
  else if (one.recursive) claims[twin] = one;
}

/** What looks like a pattern, and is none where it stands. */
function hintFor(path: Uint8Array): string {
  return /[*?~$]/.test(latin1(path)) ? "; *, ?, ~ and $ mean themselves in this path" : "";
}

/** There is nothing yet; anything else that is wrong with a path is no reason to wait. */
function isMissing(path: Uint8Array): boolean {
  try {
    fileStatus(cString(path));
    return false;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return error.errno === Errno.ENOENT || error.errno === Errno.ENOTDIR;
  }
}

/** The same for claims that ask for the same. */
export function signatureOf({ rule, recursive, skipsHidden, names }: Claim): string {
  return `${rule} ${recursive} ${skipsHidden} ${names?.key ?? ""}`;
}
