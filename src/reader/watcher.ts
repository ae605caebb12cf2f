/** A plan becomes watches: what both plans watch stays as it is, what is new is added before the rest goes. */
import { latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { type Log, quoted } from "../log.ts";
import type { Interests } from "../rule/matcher.ts";
import type { RuleSet } from "../rule/rule-set.ts";
import type { ActorDesk } from "../watch/actor-desk.ts";
import { Arrivals } from "../watch/arrivals.ts";
import { type Ladder, whyNotFanotify } from "../watch/ladder.ts";
import type { OwnOutputs } from "../watch/own-outputs.ts";
import type { LookSink } from "../watch/poll-found.ts";
import { SharedFilesystems } from "../watch/shared-filesystems.ts";
import type { Node, Root } from "../watch/tree.ts";
import { type TableObserver, WatchTable } from "../watch/watch-table.ts";
import { ClaimFinder, type Claims, isOfGate, isWanted, signatureOf } from "./claims.ts";
import { Footing } from "./footing.ts";
import { gateObserver, GateWatch } from "./gates.ts";
import { asksForActors, type Plan, type ReaderStatus, type WatchReport } from "./plan.ts";
import { Polling } from "./polling.ts";
import { Refusals } from "./refusals.ts";
import { RuleWarnings } from "./rule-warnings.ts";
import { type ClaimedPath, Rungs } from "./rungs.ts";
import { Tables } from "./tables.ts";

export interface WatcherOptions {
  readonly log: Log;
  readonly ownOutputs: OwnOutputs;
  readonly observer: WatcherObserver;
  /** Told of what polling finds. */
  readonly sink: LookSink;
  /** Told of each path whose filesystem is asked next, and may not answer. */
  readonly asking: (path: Uint8Array) => void;
  /** Who did it is told to this, if a rule asks. */
  readonly actors: ActorDesk;
}

export interface WatcherObserver extends Omit<TableObserver, "isWanted"> {
  /** More is wanted of a directory than until now, and what it is wanted for has just appeared in it. */
  interestsAdded(node: Node, table: WatchTable, interests: Interests): void;
}

export class Watcher {
  readonly arrivals: Arrivals;
  readonly polling: Polling;
  readonly tables: Tables;
  readonly #ladder: Ladder;
  readonly #options: WatcherOptions;
  readonly #claims: ClaimFinder;
  readonly #rungs: Rungs;
  readonly #refusals: Refusals;
  readonly #warnings: RuleWarnings;
  readonly #shared: SharedFilesystems;
  readonly #footing = new Footing();
  readonly #gates: GateWatch;
  #plan: Plan | null = null;
  /** By path: the claims that were seen to under this plan. */
  #done = new Map<string, readonly string[]>();
  #byPath: ReadonlyMap<string, Claims> = new Map();
  #kept = new Set<Root>();

  constructor(ladder: Ladder, options: WatcherOptions) {
    const { log, ownOutputs, observer } = options;
    this.#ladder = ladder;
    this.#options = options;
    this.#shared = new SharedFilesystems(log);
    this.#refusals = new Refusals(ladder, log);
    this.#warnings = new RuleWarnings(log);
    const judge = { isWanted: (root: Root) => this.#isWanted(root, "rules") };
    const tableOptions = { log, ownOutputs, observer: { ...observer, ...judge } };
    this.#gates = new GateWatch({
      log,
      tables: () => this.tables,
      claimsAt: (key) => this.#byPath.get(key)?.list.filter(isOfGate) ?? [],
      onWatched: (root) => this.#keepNew(root, "gates"),
      onVanished: (path) => this.#lookForAnother(path),
    });
    const gateOptions = {
      log,
      serves: "gates",
      ...gateObserver(this.#gates, {
        rootGone: () => observer.rootGone(),
        isWanted: (root) => this.#isWanted(root, "gates"),
      }),
    } as const;
    this.tables = new Tables(
      (backend) =>
        new WatchTable(backend, this.#gates.jointOf(backend) === null ? tableOptions : gateOptions),
    );
    this.arrivals = new Arrivals(log);
    const somethingCameOrWent = (): void => observer.rootGone();
    this.polling = new Polling({ ...options, ...judge, somethingCameOrWent });
    this.#claims = new ClaimFinder(this.arrivals, {
      log,
      isWatched: (key) => this.polling.has(key) || this.tables.has(key),
      onFailure: (text) => this.#refusals.fail(text),
    });
    this.#rungs = new Rungs({
      ladder,
      log,
      tables: this.tables,
      polling: this.polling,
      refusals: this.#refusals,
      warnings: this.#warnings,
      onWatched: (root) => this.#keepNew(root, "rules"),
      onVanished: (path) => this.#lookForAnother(path),
      onAdded: (node, table, interests) => observer.interestsAdded(node, table, interests),
    });
  }

  /** The kernel is to hold something: what comes and goes is followed whether there is room for events or not. */
  get hasGates(): boolean {
    return this.#plan?.gates !== undefined;
  }

  /**
   * Watch what the plan says.
   *
   * @returns the table until now, if fanotify had to be opened anew: to be read out, and closed
   * @throws {WatchError} if the plan says that every path must work, and one does not
   */
  apply(plan: Plan, rules: RuleSet): WatchTable | null {
    const retired = this.#tellActors(asksForActors(plan));
    this.#plan = plan;
    this.#done = new Map();
    this.#rungs.beginPlan(rules, plan);
    this.#refusals.beginPlan();
    this.#gates.beginPlan(rules, plan);
    this.#warnings.beginPlan();
    for (const table of this.tables.list) this.#retry(table);
    this.#follow({ isNew: false });
    return retired;
  }

  /** Without a rule that asks, the kernel is spared opening a descriptor for each record. */
  #tellActors(wanted: boolean): WatchTable | null {
    if (wanted === this.#ladder.tellsActors) return null;
    const before = this.#ladder.tellActors(wanted ? this.#options.actors : null);
    if (before === null) return null;
    if (before instanceof SyscallError) {
      const { log } = this.#options;
      log.warn(`Cannot ask who does things: ${whyNotFanotify(before)}; restart facron for that`);
      return null;
    }
    const retired = this.tables.retire(before);
    if (retired === null) before.close(); // nothing is watched by it
    return retired;
  }

  /** There may be room by now for what a limit has kept from being watched. */
  #retry(table: WatchTable): void {
    const parents = new Set<Node>();
    const joint = this.#ladder.jointOf(table.backend) ?? this.#gates.jointOf(table.backend);
    for (const mark of joint?.unwatched.all ?? []) {
      for (const node of [...mark.nodes]) {
        if (node.parent !== null) parents.add(node.parent);
        table.giveUp(node);
      }
    }
    for (const parent of parents) table.lookAgainIn(parent);
  }

  /** Nothing is held for gates any more, whatever comes: not before the next plan. */
  leaveGates(): void {
    this.#gates.leave();
  }

  /** Something may have appeared or gone: watch what matches now. */
  follow(): void {
    if (this.#plan !== null) this.#follow({ isNew: true });
  }

  /** @param isNew what was not watched until now has just appeared */
  #follow({ isNew }: { readonly isNew: boolean }): void {
    const plan = this.#plan!;
    this.#kept = new Set();
    this.polling.beginFollow();
    this.#shared.forget();
    this.#refusals.beginFollow();
    this.#gates.refusals.beginFollow();
    this.#footing.lookAnew();
    this.#byPath = this.#claims.find(plan, { isStart: !isNew });
    for (const [key, claims] of this.#byPath) this.#watch(key, claims, isNew);
    for (const key of this.#done.keys()) if (!this.#byPath.has(key)) this.#done.delete(key);
    const both = [this.#refusals, this.#gates.refusals];
    if (!isNew && plan.everyPathMustWork) for (const refusals of both) refusals.throwFirst();
    for (const refusals of both) refusals.sayFailures();
    this.#removeOthers(isNew);
    this.#gates.endFollow();
    this.polling.endFollow(plan, { isStart: !isNew });
  }

  #watch(key: string, claims: Claims, isNew: boolean): void {
    const { path, list } = claims;
    const before = this.#done.get(key) ?? [];
    const signatures = list.map(signatureOf);
    const isSame = isNew && Bun.deepEquals(before, signatures);
    if (isSame && this.#keep(key, claims)) return;
    this.#done.set(key, signatures);
    this.#options.asking(path);
    const gates = list.filter(isOfGate);
    if (gates.length > 0) this.#gates.watch({ path, list: gates, isNew, before });
    const rules = gates.length === 0 ? list : list.filter((claim) => !isOfGate(claim));
    if (rules.length > 0) this.#watchForRules({ path, list: rules, isNew, before });
  }

  #watchForRules(at: ClaimedPath): void {
    const { path } = at;
    if (!this.#options.ownOutputs.isAt(path)) return this.#rungs.watch(at);
    this.#refusals.fail(
      `Cannot watch ${quoted(path)}: facron's own output goes there, and each line would cause the next`,
    );
  }

  /** @returns whether the path is watched as it should be, or was refused for good */
  #keep(key: string, { isLinked }: Claims): boolean {
    let isAlive = this.polling.keep(key);
    for (const table of this.tables.list) {
      const root = table.roots.get(key);
      if (root === undefined) continue;
      this.#kept.add(root);
      // A file's own records tell what becomes of it, and they may still be queued.
      const mayBeElsewhere =
        root.node?.isDirectory === true || isLinked || this.#footing.isLost(root);
      if (mayBeElsewhere) table.checks.checkWhenRead(root);
      if (root.node === null) isAlive = false;
    }
    return isAlive;
  }

  #keepNew(root: Root, serves: WatchTable["serves"]): void {
    this.#kept.add(root);
    if (serves === "rules") this.#shared.notice(root);
    this.#footing.take(root);
  }

  #lookForAnother(path: Uint8Array): void {
    this.#done.delete(latin1(path));
    this.#options.observer.rootGone();
  }

  #removeOthers(isNew: boolean): void {
    for (const table of this.tables.list) {
      for (const root of [...table.roots.values()])
        if (!this.#kept.has(root) && !(isNew && this.#isAwaited(root))) table.roots.remove(root);
    }
  }

  /** A file that is not there now: the records of its name count what comes to the path. */
  #isAwaited({ node, path }: Root): boolean {
    return node === null && (this.#byPath.has(latin1(path)) || this.#claims.isWaitingFor(path));
  }

  #isWanted({ path }: Root, serves: WatchTable["serves"]): boolean {
    const isForGates = serves === "gates";
    if (!isForGates && this.#options.ownOutputs.isAt(path)) return false;
    const claims = this.#byPath.get(latin1(path))?.list ?? [];
    return claims.every((claim) => isOfGate(claim) !== isForGates || isWanted(claim, path));
  }

  /** What was found to be refused since the last time: to be called when all is walked. */
  sayRefusals(): void {
    this.#refusals.sayRefusals();
    this.#gates.refusals.sayRefusals();
  }

  status(): Pick<ReaderStatus, "report" | "counts"> {
    return { report: this.report(this.#plan), counts: this.#ladder.counts };
  }

  /** What is watched now: complete when no directory is left to walk. */
  report(plan: Plan | null): WatchReport {
    const ladder = this.#ladder;
    const watched = { inotify: 0, fanotify: 0 };
    for (const { backend, roots } of this.tables.ofRules) watched[backend.name] += roots.size;
    return {
      rules: plan?.rules.length ?? 0,
      watched,
      polled: { paths: this.polling.table.roots.size, entries: this.polling.table.entries },
      marks: { inotify: ladder.marksOf("inotify"), fanotify: ladder.marksOf("fanotify") },
      failed: this.#refusals.failed + this.#gates.refusals.failed,
      unwatched: this.#refusals.unwatched + this.#gates.refusals.unwatched,
      waiting: this.#claims.waiting,
      gated: this.#gates.report,
    };
  }
}
