/** A plan becomes watches: each path of each rule on the best backend that takes it. */
import { cString, latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { namesOf } from "../event.ts";
import { WatchError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import type { Plan, PlannedRule, WatchReport } from "./plan.ts";
import { Interests, type RuleSet } from "../rule/matcher.ts";
import { whyNeverMet } from "../rule/reach.ts";
import { type BackendName, eventsOf } from "../rule/rule.ts";
import { cannotWatch } from "../watch/explain.ts";
import { isUnsupportedFilesystem, type Ladder, whyNotFanotify } from "../watch/ladder.ts";
import { type OwnOutputs, statusOrNull } from "../watch/own-outputs.ts";
import type { Root } from "../watch/tree.ts";
import { type TableObserver, WatchTable } from "../watch/watch-table.ts";

/** A rule that names a path. */
interface Claim {
  readonly rule: number;
  readonly planned: PlannedRule;
  readonly recursive: boolean;
}

export interface WatcherOptions {
  readonly log: Log;
  readonly ownOutputs: OwnOutputs;
  readonly observer: TableObserver;
}

export class Watcher {
  readonly #tables = new Map<BackendName, WatchTable>();
  readonly #tableList: WatchTable[] = [];
  readonly #ladder: Ladder;
  readonly #options: WatcherOptions;
  /** Of the plan that is being applied. */
  #kept = new Set<Root>();
  #failures: string[] = [];
  #saidWhyInotify = false;

  constructor(ladder: Ladder, options: WatcherOptions) {
    this.#ladder = ladder;
    this.#options = options;
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
    this.#kept = new Set();
    this.#failures = [];
    for (const [path, claims] of claimsByPath(plan.rules)) this.#watch(path, claims, rules);
    if (plan.everyPathMustWork && this.#failures.length > 0)
      throw new WatchError(this.#failures[0]);
    for (const failure of this.#failures) this.#options.log.warn(failure);
    for (const table of this.tables) {
      for (const root of [...table.roots.values()])
        if (!this.#kept.has(root)) table.removeRoot(root);
    }
  }

  #watch(path: Uint8Array, claims: readonly Claim[], rules: RuleSet): void {
    const inode = statusOrNull(cString(path))?.inode;
    if (inode !== undefined && this.#options.ownOutputs.has(inode)) {
      this.#failures.push(
        `Cannot watch ${quoted(path)}: facron's own output goes there, and each line would cause the next`,
      );
      return;
    }
    const inotify = claims.filter(({ planned }) => planned.backend === "inotify");
    const others = claims.filter(({ planned }) => planned.backend !== "inotify");
    const left = others.length === 0 ? [] : this.#watchWithFanotify(path, others, rules);
    const rest = [...inotify, ...left];
    if (rest.length > 0) this.#watchWith("inotify", path, rest, rules);
  }

  /** @returns the claims that fall to inotify, a rung below */
  #watchWithFanotify(path: Uint8Array, claims: readonly Claim[], rules: RuleSet): readonly Claim[] {
    const backend = this.#ladder.backend("fanotify");
    if (backend instanceof SyscallError) {
      const auto = claims.filter(({ planned }) => planned.backend === "auto");
      if (auto.length > 0 || backend.code !== "EPERM") this.#sayWhyInotify(backend);
      const strict = claims.filter(({ planned }) => planned.backend === "fanotify");
      if (strict.length === 0 || backend.code !== "EPERM") return claims;
      this.#failures.push(
        `Cannot watch ${quoted(path)}: ${whyNotFanotify(backend)}; run facron as root, ` +
          `or use inotify (IN_ names, --backend inotify)`,
      );
      return auto;
    }
    const error = this.#watchWith("fanotify", path, claims, rules);
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
    rules: RuleSet,
  ): SyscallError | null {
    const backend = this.#ladder.backend(name);
    if (backend instanceof SyscallError) {
      this.#failures.push(cannotWatch(path, backend, name));
      return null;
    }
    const able = claims.filter((claim) => this.#canReport(name, path, claim));
    if (able.length === 0) return null;
    const top = able.map(({ rule }) => ({ rule, self: true, children: true }));
    const deep = able.filter(({ recursive }) => recursive);
    const below = deep.map(({ rule }) => ({ rule, self: false, children: true }));
    try {
      const root = this.#table(name).setRoot(
        path,
        new Interests(rules, top),
        below.length === 0 ? null : new Interests(rules, below),
      );
      this.#kept.add(root);
      for (const claim of able) this.#warnIfNeverMet(claim, root);
      return null;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (name === "fanotify" && isUnsupportedFilesystem(error)) return error;
      this.#failures.push(cannotWatch(path, error, name));
      return null;
    }
  }

  #canReport(name: BackendName, path: Uint8Array, { planned }: Claim): boolean {
    const backend = this.#ladder.backend(name);
    const events = eventsOf(planned.condition);
    if (backend instanceof SyscallError || (events & backend.supported) !== 0) return true;
    const names = namesOf(events).join(", ");
    this.#failures.push(`Cannot watch ${quoted(path)} for ${names}: ${name} does not report that`);
    return false;
  }

  #warnIfNeverMet({ planned }: Claim, { path, node }: Root): void {
    const why = node === null ? null : whyNeverMet(planned.condition, node.isDirectory);
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
    return { rules: plan.rules.length, watched, marks, failed: this.#failures.length };
  }
}

/** In the order of the plan. A rule that names one path twice has one claim, the deeper one. */
function claimsByPath(rules: readonly PlannedRule[]): Map<Uint8Array, Claim[]> {
  const byKey = new Map<string, { path: Uint8Array; claims: Claim[] }>();
  rules.forEach((planned, rule) => {
    for (const { path, recursive } of planned.watch) {
      const entry = byKey.get(latin1(path)) ?? { path, claims: [] };
      byKey.set(latin1(path), entry);
      const twin = entry.claims.findIndex((claim) => claim.rule === rule);
      if (twin < 0) entry.claims.push({ rule, planned, recursive });
      else if (recursive) entry.claims[twin] = { rule, planned, recursive };
    }
  });
  return new Map([...byKey.values()].map(({ path, claims }) => [path, claims]));
}
