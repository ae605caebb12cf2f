/** A plan becomes watches: each path of each rule on the best backend that takes it. */
import { cString, latin1 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { fileStatus, S_IFDIR, S_IFLNK } from "../../ffi/files.ts";
import { namesOf } from "../event.ts";
import { WatchError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import type { Plan, PlannedRule, WatchReport } from "./plan.ts";
import { NameFilter } from "../rule/glob.ts";
import { Interests, type RuleSet } from "../rule/matcher.ts";
import { whyNeverMet } from "../rule/reach.ts";
import { type BackendName, eventsOf, type WatchPath } from "../rule/rule.ts";
import { Arrivals, type Match } from "../watch/arrivals.ts";
import { cannotWatch } from "../watch/explain.ts";
import { isUnsupportedFilesystem, type Ladder, whyNotFanotify } from "../watch/ladder.ts";
import { type OwnOutputs, statusOrNull } from "../watch/own-outputs.ts";
import type { Root } from "../watch/tree.ts";
import { type RootWants, type TableObserver, WatchTable } from "../watch/watch-table.ts";

/** A rule that names a path. */
interface Claim {
  readonly rule: number;
  readonly planned: PlannedRule;
  readonly recursive: boolean;
  /** Not below directories whose name starts with a dot. */
  readonly skipsHidden: boolean;
  /** The path is a directory, and only what has such a name in it is claimed. */
  readonly names: NameFilter | null;
}

interface Claims {
  readonly path: Uint8Array;
  readonly list: Claim[];
}

export interface WatcherOptions {
  readonly log: Log;
  readonly ownOutputs: OwnOutputs;
  readonly observer: TableObserver;
}

export class Watcher {
  readonly arrivals: Arrivals;
  readonly #tables = new Map<BackendName, WatchTable>();
  readonly #tableList: WatchTable[] = [];
  readonly #ladder: Ladder;
  readonly #options: WatcherOptions;
  #plan: Plan | null = null;
  #rules: RuleSet | null = null;
  /** By path: what was done for it under this plan. */
  #done = new Map<string, string>();
  #kept = new Set<Root>();
  /** What is wrong with some path and is not said yet. */
  #failures: string[] = [];
  /** Each thing that was wrong under this plan. */
  #failed = new Set<string>();
  /** Paths of which the log says that they are not there. */
  #waiting = new Set<string>();
  #saidWhyInotify = false;

  constructor(ladder: Ladder, options: WatcherOptions) {
    this.#ladder = ladder;
    this.#options = options;
    this.arrivals = new Arrivals(options.log);
  }

  /** In the order in which their backends were opened. */
  get tables(): readonly WatchTable[] {
    return this.#tableList;
  }

  get isWalking(): boolean {
    for (let i = 0; i < this.#tableList.length; i++) if (this.#tableList[i]!.isWalking) return true;
    return false;
  }

  /**
   * Watch what the plan says. What both plans watch stays as it is, what is new is added before what
   * is no longer wanted goes.
   *
   * @throws {WatchError} if the plan says that every path must work, and one does not
   */
  apply(plan: Plan, rules: RuleSet): void {
    this.#plan = plan;
    this.#rules = rules;
    this.#done = new Map();
    this.#failed = new Set();
    this.#follow({ isNew: false });
  }

  /** Something may have appeared or gone: watch what matches now. */
  follow(): void {
    if (this.#plan !== null) this.#follow({ isNew: true });
  }

  /** @param isNew what was not watched until now has just appeared */
  #follow({ isNew }: { readonly isNew: boolean }): void {
    const plan = this.#plan!;
    this.#kept = new Set();
    this.#failures = [];
    const byPath = this.arrivals.settle(() => this.#claims(plan));
    for (const [key, { path, list }] of byPath) {
      const signature = list.map(signatureOf).join();
      if (isNew && this.#done.get(key) === signature && this.#keep(key)) continue;
      this.#done.set(key, signature);
      this.#watch(path, list, isNew);
    }
    for (const key of this.#done.keys()) if (!byPath.has(key)) this.#done.delete(key);
    if (!isNew && plan.everyPathMustWork && this.#failures.length > 0)
      throw new WatchError(this.#failures[0]);
    for (const failure of this.#failures) this.#options.log.warn(failure);
    for (const table of this.tables) {
      for (const root of [...table.roots.values()])
        if (!this.#kept.has(root)) table.removeRoot(root);
    }
  }

  /** @returns whether the path is watched as it should be, or was refused for good */
  #keep(key: string): boolean {
    let isAlive = true;
    for (const table of this.tables) {
      const root = table.roots.get(key);
      if (root === undefined) continue;
      this.#kept.add(root);
      if (root.node === null) isAlive = false;
    }
    return isAlive;
  }

  /** In the order of the plan. A rule that names one path twice has one claim, the deeper one. */
  #claims(plan: Plan): Map<string, Claims> {
    const byKey = new Map<string, Claims>();
    plan.rules.forEach((planned, rule) => {
      for (const watch of planned.watch) this.#claim(byKey, { planned, rule, watch });
    });
    return byKey;
  }

  #claim(
    byKey: Map<string, Claims>,
    { planned, rule, watch }: { planned: PlannedRule; rule: number; watch: WatchPath },
  ): void {
    for (const match of this.#matches(watch)) {
      const isNames = match.kind === "names";
      const path = isNames ? match.directory : match.path;
      const claim: Claim = {
        rule,
        planned,
        recursive: !isNames && watch.recursive,
        skipsHidden: watch.skipsDotDirectories === true,
        names: isNames ? new NameFilter(match.pattern) : null,
      };
      const key = latin1(path);
      const claims = byKey.get(key) ?? { path, list: [] };
      byKey.set(key, claims);
      const { list } = claims;
      const twin = list.findIndex(
        (one) => one.rule === rule && one.names?.key === claim.names?.key,
      );
      if (twin < 0) list.push(claim);
      else if (claim.recursive) list[twin] = claim;
    }
  }

  /** A path that is watched already need not be looked for: its own records tell when it goes. */
  #matches(watch: WatchPath): readonly Match[] {
    const { path, isGlob = false } = watch;
    const key = latin1(path);
    const isWatched = this.tables.some((table) => (table.roots.get(key)?.node ?? null) !== null);
    const isThere = !isGlob && (isWatched || !isMissing(path));
    if (isThere) {
      if (this.#waiting.delete(key))
        this.#options.log.info(`${quoted(path)} is there now: watching it`);
      return this.#refused(watch) ? [] : [{ kind: "path", path }];
    }
    const matches = this.arrivals.matchesOf(watch);
    if (matches.length === 0) this.#wait(watch, key);
    else this.#waiting.delete(key);
    return matches;
  }

  #wait({ path, isGlob = false }: WatchPath, key: string): void {
    if (this.#waiting.has(key)) return;
    if (this.#plan!.everyPathMustWork && !isGlob && !this.#done.has(key)) {
      const error = new SyscallError("statx", Errno.ENOENT);
      this.#fail(cannotWatch(path, error, "inotify"));
      return;
    }
    this.#waiting.add(key);
    const state = isGlob ? "nothing matches it yet" : "it is not there yet";
    this.#options.log.warn(
      `Waiting for ${quoted(path)}: ${state}; it is watched as soon as it appears`,
    );
  }

  /** What the rule does not want to watch, though it is there. */
  #refused({ path, refusesSymlink = false, refusesFile = false }: WatchPath): boolean {
    const kind = (followSymlink: boolean) => statusOrNull(cString(path), { followSymlink })?.kind;
    const why =
      refusesSymlink && kind(false) === S_IFLNK
        ? "it is a symbolic link, and the rule says not to follow it"
        : refusesFile && kind(true) !== S_IFDIR
          ? "it is no directory, and the rule is for directories only"
          : null;
    if (why !== null)
      this.#fail(`Cannot watch ${quoted(path)}: ${why}; correct the path or the rule`);
    return why !== null;
  }

  #watch(path: Uint8Array, claims: readonly Claim[], isNew: boolean): void {
    const inode = statusOrNull(cString(path))?.inode;
    if (inode !== undefined && this.#options.ownOutputs.has(inode)) {
      this.#fail(
        `Cannot watch ${quoted(path)}: facron's own output goes there, and each line would cause the next`,
      );
      return;
    }
    const inotify = claims.filter(({ planned }) => planned.backend === "inotify");
    const others = claims.filter(({ planned }) => planned.backend !== "inotify");
    const left = others.length === 0 ? [] : this.#watchWithFanotify(path, others, isNew);
    const rest = [...inotify, ...left];
    if (rest.length > 0) this.#watchWith("inotify", path, rest, isNew);
  }

  #fail(why: string): void {
    if (this.#failed.has(why)) return;
    this.#failed.add(why);
    this.#failures.push(why);
  }

  /** @returns the claims that fall to inotify, a rung below */
  #watchWithFanotify(path: Uint8Array, claims: readonly Claim[], isNew: boolean): readonly Claim[] {
    const backend = this.#ladder.backend("fanotify");
    if (backend instanceof SyscallError) {
      const auto = claims.filter(({ planned }) => planned.backend === "auto");
      if (auto.length > 0 || backend.code !== "EPERM") this.#sayWhyInotify(backend);
      const strict = claims.filter(({ planned }) => planned.backend === "fanotify");
      if (strict.length === 0 || backend.code !== "EPERM") return claims;
      this.#fail(
        `Cannot watch ${quoted(path)}: ${whyNotFanotify(backend)}; run facron as root, ` +
          `or use inotify (IN_ names, --backend inotify)`,
      );
      return auto;
    }
    const error = this.#watchWith("fanotify", path, claims, isNew);
    if (error === null) return [];
    this.#options.log.warn(
      `Using inotify for ${quoted(path)}: fanotify cannot name files on this filesystem (${error.message})`,
    );
    return claims;
  }

  /** Once: it is the same for every path. */
  #sayWhyInotify(error: SyscallError): void {
    if (this.#saidWhyInotify) return;
    this.#saidWhyInotify = true;
    this.#options.log.info(`Using inotify: ${whyNotFanotify(error)}`);
  }

  /** @returns the error if the filesystem does not support the backend, null if nothing is left to try */
  #watchWith(
    name: BackendName,
    path: Uint8Array,
    claims: readonly Claim[],
    isNew: boolean,
  ): SyscallError | null {
    const backend = this.#ladder.backend(name);
    if (backend instanceof SyscallError) {
      this.#fail(cannotWatch(path, backend, name));
      return null;
    }
    const able = claims.filter((claim) => this.#canReport(name, path, claim));
    if (able.length === 0) return null;
    try {
      const table = this.#table(name);
      const wasThere = (table.roots.get(latin1(path))?.node ?? null) !== null;
      const root = table.setRoot(path, { ...this.#wants(able), isNew });
      if (isNew && !wasThere && root.node?.isDirectory === false)
        this.#options.observer.rootReplaced(root);
      this.#kept.add(root);
      for (const claim of able) this.#warnIfNeverMet(claim, root);
      return null;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (name === "fanotify" && isUnsupportedFilesystem(error)) return error;
      this.#fail(cannotWatch(path, error, name));
      return null;
    }
  }

  #wants(claims: readonly Claim[]): RootWants {
    const rules = this.#rules!;
    const top = claims.map(({ rule, names }) => {
      return names === null
        ? { rule, self: true, children: true }
        : { rule, self: false, children: true, names };
    });
    const below = (some: readonly Claim[]): Interests | null => {
      const list = some.map(({ rule }) => ({ rule, self: false, children: true }));
      return list.length === 0 ? null : new Interests(rules, list);
    };
    const deep = claims.filter(({ recursive }) => recursive);
    const seesHidden = deep.filter(({ skipsHidden }) => !skipsHidden);
    const all = below(deep);
    const belowHidden = seesHidden.length === deep.length ? all : below(seesHidden);
    return { top: new Interests(rules, top), below: all, belowHidden };
  }

  #canReport(name: BackendName, path: Uint8Array, { planned }: Claim): boolean {
    const backend = this.#ladder.backend(name);
    const events = eventsOf(planned.condition);
    if (backend instanceof SyscallError || (events & backend.supported) !== 0) return true;
    const names = namesOf(events).join(", ");
    this.#fail(`Cannot watch ${quoted(path)} for ${names}: ${name} does not report that`);
    return false;
  }

  #warnIfNeverMet({ planned, names }: Claim, { path, node }: Root): void {
    const why =
      node === null || names !== null ? null : whyNeverMet(planned.condition, node.isDirectory);
    if (why === null) return;
    this.#options.log.warn(`Rule ${quoted(planned.name)} never fires for ${quoted(path)}: ${why}`);
  }

  #table(name: BackendName): WatchTable {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const backend = this.#ladder.backend(name);
    if (backend instanceof SyscallError) throw backend;
    const table = new WatchTable(backend, this.#options);
    this.#tables.set(name, table);
    this.#tableList.push(table);
    return table;
  }

  /** What is watched now: complete when no directory is left to walk. */
  report(plan: Plan): WatchReport {
    const watched = { inotify: 0, fanotify: 0 };
    const marks = { inotify: 0, fanotify: 0 };
    for (const [name, table] of this.#tables) {
      watched[name] = table.roots.size;
      marks[name] = table.backend.marks;
    }
    return {
      rules: plan.rules.length,
      watched,
      marks,
      failed: this.#failed.size,
      waiting: this.#waiting.size,
    };
  }
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

function signatureOf({ rule, recursive, skipsHidden, names }: Claim): string {
  return `${rule} ${recursive} ${skipsHidden} ${names?.key ?? ""}`;
}
