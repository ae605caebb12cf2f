/** A plan becomes watches: each path of each rule on the best backend that takes it. */
import { cString, latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { namesOf } from "../event.ts";
import { WatchError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import { whyNeverHeard } from "../rule/filter-text.ts";
import { Interests } from "../rule/matcher.ts";
import { whyNeverMet } from "../rule/reach.ts";
import { type BackendChoice, type BackendName, eventsOf } from "../rule/rule.ts";
import type { RuleSet } from "../rule/rule-set.ts";
import { effectOfNotKnowing } from "../rule/actor.ts";
import type { ActorDesk } from "../watch/actor-desk.ts";
import { Arrivals } from "../watch/arrivals.ts";
import { cannotWatch, causeOf, isOfFilesystem, whyNotFilesystem } from "../watch/explain.ts";
import { isUnsupportedFilesystem, type Refusal } from "../watch/joint-backend.ts";
import { type Ladder, whyNotFanotify } from "../watch/ladder.ts";
import { isLimit, whoseLimit } from "../watch/limits.ts";
import type { Backend } from "../watch/backend.ts";
import { type OwnOutputs, statusOrNull } from "../watch/own-outputs.ts";
import { SharedFilesystems } from "../watch/shared-filesystems.ts";
import { isGone } from "../watch/side-watch.ts";
import type { Node, Root } from "../watch/tree.ts";
import { type RootWants, type TableObserver, WatchTable } from "../watch/watch-table.ts";
import type { LookSink } from "../watch/poll-found.ts";
import { mayPoll, Polling } from "./polling.ts";
import { type Claim, ClaimFinder, type Claims, isWanted, signatureOf } from "./claims.ts";
import { Footing } from "./footing.ts";
import { asksForActors, type Plan, type WatchReport } from "./plan.ts";
import { Shortages, shortageText } from "./shortages.ts";

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
  readonly #claims: ClaimFinder;
  readonly #tables = new Map<Backend, WatchTable>();
  readonly #tableList: WatchTable[] = [];
  readonly #ladder: Ladder;
  readonly #options: WatcherOptions;
  readonly #shared: SharedFilesystems;
  #plan: Plan | null = null;
  #rules: RuleSet | null = null;
  /** By path: the claims that were seen to under this plan. */
  #done = new Map<string, readonly string[]>();
  /** Of the path in hand: those of before. */
  #doneBefore: readonly string[] = [];
  #byPath: ReadonlyMap<string, Claims> = new Map();
  readonly #footing = new Footing();
  readonly #observer: TableObserver;
  #kept = new Set<Root>();
  /** What is wrong with some path and is not said yet. */
  #failures: string[] = [];
  /** Each thing that was wrong under this plan. */
  #failed = new Set<string>();
  #saidWhyInotify = false;
  readonly #shortages = new Shortages();
  /** Paths of rules that a limit of the kernel keeps from being watched. */
  #refused: Refusal[] = [];
  /** Rules of this plan of which it is said that nobody knows who did it. */
  #saidOfActors = new Set<number>();

  constructor(ladder: Ladder, options: WatcherOptions) {
    this.#ladder = ladder;
    this.#options = options;
    this.#shared = new SharedFilesystems(options.log);
    const judge = { isWanted: (root: Root) => this.#isWanted(root) };
    this.#observer = { ...options.observer, ...judge };
    this.arrivals = new Arrivals(options.log);
    const somethingCameOrWent = () => options.observer.rootGone();
    this.polling = new Polling({ ...options, ...judge, somethingCameOrWent });
    this.#claims = new ClaimFinder(this.arrivals, {
      log: options.log,
      isWatched: (key) => this.#isWatched(key),
      onFailure: (text) => this.#fail(text),
    });
  }

  /** In the order in which their backends were opened. */
  get tables(): readonly WatchTable[] {
    return this.#tableList;
  }

  /** Directories are to be found, or to be looked up. */
  get needsWalk(): boolean {
    for (let i = 0; i < this.#tableList.length; i++) if (this.#tableList[i]!.needsWalk) return true;
    return false;
  }

  get isWalking(): boolean {
    for (let i = 0; i < this.#tableList.length; i++) if (this.#tableList[i]!.isWalking) return true;
    return false;
  }

  /**
   * Watch what the plan says. What both plans watch stays as it is, what is new is added before what
   * is no longer wanted goes.
   *
   * @returns the table until now, if fanotify had to be opened anew: to be read out, and closed
   * @throws {WatchError} if the plan says that every path must work, and one does not
   */
  apply(plan: Plan, rules: RuleSet): WatchTable | null {
    const retired = this.#tellActors(asksForActors(plan));
    this.#plan = plan;
    this.#rules = rules;
    this.#done = new Map();
    this.#failed = new Set();
    this.#refused = [];
    this.#shortages.clear();
    for (const table of this.tables) this.#retry(table);
    this.#saidOfActors = new Set();
    this.#follow({ isNew: false });
    return retired;
  }

  /** Without a rule that asks, the kernel is spared opening a descriptor for each record. */
  #tellActors(wanted: boolean): WatchTable | null {
    if (wanted === this.#ladder.tellsActors) return null;
    const before = this.#ladder.tellActors(wanted ? this.#options.actors : null);
    if (before instanceof SyscallError) {
      const { log } = this.#options;
      log.warn(`Cannot ask who does things: ${whyNotFanotify(before)}; restart facron for that`);
      return null;
    }
    const retired = before === null ? undefined : this.#tables.get(before);
    if (retired === undefined) {
      before?.close(); // nothing is watched by it
      return null;
    }
    this.#tables.delete(retired.backend);
    this.#tableList.splice(this.#tableList.indexOf(retired), 1);
    return retired;
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
    this.#failures = [];
    this.#footing.lookAnew();
    const byPath = this.#claims.find(plan, { isStart: !isNew });
    this.#byPath = byPath;
    for (const [key, claims] of byPath) {
      const signatures = claims.list.map(signatureOf);
      this.#doneBefore = this.#done.get(key) ?? [];
      const isSame = isNew && Bun.deepEquals(this.#doneBefore, signatures);
      if (isSame && this.#keep(key, claims)) continue;
      this.#done.set(key, signatures);
      this.#watch(claims, isNew);
    }
    for (const key of this.#done.keys()) if (!byPath.has(key)) this.#done.delete(key);
    if (!isNew && plan.everyPathMustWork) this.#throwFirst();
    for (const failure of this.#failures) this.#options.log.warn(failure);
    for (const table of this.tables) {
      for (const root of [...table.roots.values()])
        if (!this.#kept.has(root) && !(isNew && this.#isAwaited(root, byPath)))
          table.removeRoot(root);
    }
    this.polling.endFollow(plan, { isStart: !isNew });
  }

  /** A file that is not there now: the records of its name count what comes to the path. */
  #isAwaited({ node, path }: Root, byPath: ReadonlyMap<string, Claims>): boolean {
    return node === null && (byPath.has(latin1(path)) || this.#claims.isWaitingFor(path));
  }

  #throwFirst(): void {
    const [text] = this.#failures;
    if (text !== undefined) throw new WatchError(text);
    const [refusal] = this.#refused;
    if (refusal === undefined) return;
    const watched = this.#marksOf(whoseLimit(refusal.error));
    throw new WatchError(shortageText({ ...refusal, count: this.#refused.length }, watched));
  }

  /** There may be room by now for what a limit has kept from being watched. */
  #retry(table: WatchTable): void {
    const parents = new Set<Node>();
    for (const mark of this.#ladder.jointOf(table.backend)?.unwatched.all ?? []) {
      for (const node of [...mark.nodes]) {
        if (node.parent !== null) parents.add(node.parent);
        table.giveUp(node);
      }
    }
    for (const parent of parents) table.lookAgainIn(parent);
  }

  /** What was found to be refused since the last time: to be called when all is walked. */
  sayRefusals(): void {
    for (const joint of this.#ladder.opened) {
      for (const refusal of joint.takeRefusals()) {
        if (isLimit(refusal.error)) this.#shortages.note(refusal);
        else this.#options.log.warn(fallText(refusal));
      }
    }
    this.#shortages.say(this.#options.log, (name) => this.#marksOf(name), this.#unwatched);
  }

  get #unwatched(): number {
    const below = this.#ladder.opened.reduce((sum, { unwatched }) => sum + unwatched.size, 0);
    return this.#refused.length + below;
  }

  #marksOf(name: BackendName): number {
    return this.#ladder.opened.reduce((sum, one) => sum + one.marksOf(name), 0);
  }

  #isWatched(key: string): boolean {
    if (this.polling.has(key)) return true;
    return this.tables.some((table) => (table.roots.get(key)?.node ?? null) !== null);
  }

  /** @returns whether the path is watched as it should be, or was refused for good */
  #keep(key: string, { isLinked }: Claims): boolean {
    let isAlive = this.polling.keep(key);
    for (const table of this.tables) {
      const root = table.roots.get(key);
      if (root === undefined) continue;
      this.#kept.add(root);
      // A file's own records tell what becomes of it, and they may still be queued.
      const mayBeElsewhere =
        root.node?.isDirectory === true || isLinked || this.#footing.isLost(root);
      if (mayBeElsewhere) table.checkRootWhenRead(root);
      if (root.node === null) isAlive = false;
    }
    return isAlive;
  }

  #isWanted({ path }: Root): boolean {
    if (this.#isOwnOutput(path)) return false;
    const claims = this.#byPath.get(latin1(path));
    return claims?.list.every((claim) => isWanted(claim, path)) !== false;
  }

  #isOwnOutput(path: Uint8Array): boolean {
    const { ownOutputs } = this.#options;
    if (ownOutputs.isEmpty) return false;
    const status = statusOrNull(cString(path));
    return status !== null && ownOutputs.has(status.inode);
  }

  #watch({ path, list }: Claims, isNew: boolean): void {
    this.#options.asking(path);
    if (this.#isOwnOutput(path)) {
      this.#fail(
        `Cannot watch ${quoted(path)}: facron's own output goes there, and each line would cause the next`,
      );
      return;
    }
    const polled = list.filter(({ planned }) => planned.backend === "poll");
    if (polled.length > 0) this.#poll(path, polled, isNew);
    const inotify = list.filter(({ planned }) => planned.backend === "inotify");
    const others = list.filter(({ planned }) => isForFanotify(planned.backend));
    const left = others.length === 0 ? [] : this.#watchWithFanotify(path, others, isNew);
    const rest = [...inotify, ...left];
    if (rest.length === 0) return;
    const error = this.#watchWith(this.#ladder.backend("inotify"), path, rest, isNew);
    if (error !== null) this.#watchBeyondLimit(path, rest, error, isNew);
  }

  /** inotify is used up. */
  #watchBeyondLimit(
    path: Uint8Array,
    claims: readonly Claim[],
    error: SyscallError,
    isNew: boolean,
  ): void {
    const auto = claims.filter(({ planned }) => planned.backend === "auto");
    if (auto.length < claims.length) this.#refuse(path, error);
    if (auto.length === 0) return;
    const fanotify = this.#ladder.fanotifyWithoutPrivilege();
    if (this.#watchWith(fanotify, path, auto, isNew) !== null) return this.#refuse(path, error);
    this.#shortages.note({ path, error, servedBy: "fanotify" });
    for (const claim of auto) this.#warnOfActor(claim, path, "fanotify without privilege");
  }

  #refuse(path: Uint8Array, error: SyscallError): void {
    const refusal = { path, error, servedBy: null };
    this.#refused.push(refusal);
    this.#shortages.note(refusal);
  }

  #fail(why: string): void {
    if (this.#failed.has(why)) return;
    this.#failed.add(why);
    this.#failures.push(why);
  }

  /** @returns the claims that fall to inotify, a rung below */
  #watchWithFanotify(path: Uint8Array, given: readonly Claim[], isNew: boolean): readonly Claim[] {
    const backend = this.#ladder.backend("fanotify");
    let claims = given;
    if (backend instanceof SyscallError) {
      claims = this.#refuseFilesystem(path, given, whyNotFanotify(backend));
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
    let error = this.#watchWith(backend, path, claims, isNew);
    if (error !== null && !isLimit(error) && claims.some(isForFilesystem)) {
      claims = this.#refuseFilesystem(path, claims, whyNotFilesystem(error));
      if (isOfFilesystem(error)) error = this.#watchWith(backend, path, claims, isNew);
    }
    if (error === null || claims.length === 0) return [];
    const refusal = { path, error, servedBy: "inotify" } as const;
    if (isLimit(error)) this.#shortages.note(refusal);
    else this.#options.log.warn(fallText(refusal));
    return claims;
  }

  /** It was asked for by name, so nothing less is put in its place. @returns the other claims */
  #refuseFilesystem(path: Uint8Array, claims: readonly Claim[], why: string): readonly Claim[] {
    const others = claims.filter((claim) => !isForFilesystem(claim));
    if (others.length < claims.length)
      this.#fail(`Cannot watch ${quoted(path)} with scope "filesystem": ${why}; use scope "tree"`);
    return others;
  }

  /** Once: it is the same for every path. */
  #sayWhyInotify(error: SyscallError): void {
    if (this.#saidWhyInotify) return;
    this.#saidWhyInotify = true;
    this.#options.log.info(`Using inotify: ${whyNotFanotify(error)}`);
  }

  /**
   * @returns the error if another backend may serve: the filesystem does not support this one, or a limit
   * is reached; null if nothing is left to try
   */
  #watchWith(
    backend: Backend | SyscallError,
    path: Uint8Array,
    claims: readonly Claim[],
    isNew: boolean,
  ): SyscallError | null {
    if (backend instanceof SyscallError) return backend;
    const { name } = backend;
    const able = claims.filter((claim) => this.#canReport(backend, path, claim));
    if (able.length === 0) return null;
    try {
      const table = this.#table(backend);
      const nodeBefore = table.roots.get(latin1(path))?.node ?? null;
      const comes = isNew && !table.isUncovered(path);
      const root = table.setRoot(path, { ...this.#wants(able), isNew: comes });
      this.#kept.add(root);
      this.#shared.notice(root);
      this.#footing.take(root);
      if (comes) this.#tellArrival(root, table, able, nodeBefore);
      for (const claim of able) this.#warnIfNeverMet(claim, root);
      if (name === "inotify") for (const claim of able) this.#warnOfActor(claim, path, name);
      return null;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (isLimit(error)) return error;
      if (name === "fanotify" && (isUnsupportedFilesystem(error) || isOfFilesystem(error)))
        return error;
      if (isGone(error) && (isNew || !this.#plan!.everyPathMustWork)) this.#vanished(path);
      else this.#pollInstead(name, path, able, { error, isNew });
      return null;
    }
  }

  /** The last rung for those that leave the choice to us. */
  #pollInstead(
    name: BackendName,
    path: Uint8Array,
    claims: readonly Claim[],
    { error, isNew }: { readonly error: SyscallError; readonly isNew: boolean },
  ): void {
    const polled = claims.filter((claim) => mayPoll(claim, error));
    if (polled.length < claims.length) this.#fail(cannotWatch(path, error, name));
    if (polled.length === 0) return;
    this.polling.sayWhy(path, polled, causeOf(error, name));
    this.#poll(path, polled, isNew);
  }

  #poll(path: Uint8Array, claims: readonly Claim[], isNew: boolean): void {
    const added = claims.filter((claim) => !this.#doneBefore.includes(signatureOf(claim)));
    const wants = (some: readonly Claim[]): RootWants => this.#wants(some);
    try {
      this.polling.poll({ path, claims, wants, isNew, added });
      for (const claim of claims) this.#warnOfActor(claim, path, "polling");
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (isGone(error) && (isNew || !this.#plan!.everyPathMustWork)) this.#vanished(path);
      else this.#fail(cannotWatch(path, error, "inotify"));
    }
  }

  /** What is in a new directory the table tells. */
  #tellArrival(
    root: Root,
    table: WatchTable,
    claims: readonly Claim[],
    nodeBefore: Node | null,
  ): void {
    const { observer } = this.#options;
    const { node } = root;
    if (node === null) return;
    if (node !== nodeBefore) {
      table.tellReplaced(root);
      return;
    }
    const added = claims.filter((claim) => !this.#doneBefore.includes(signatureOf(claim)));
    if (added.length > 0 && node.isDirectory)
      observer.interestsAdded(node, table, this.#wants(added).top);
  }

  /** It went while it was looked at: what is at the path by now has to be found. */
  #vanished(path: Uint8Array): void {
    this.#done.delete(latin1(path));
    this.#options.observer.rootGone();
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
    const isStrict = claims.every(({ planned }) => planned.backend !== "auto");
    const scope = claims.some(isForFilesystem) ? "filesystem" : "tree";
    return { top: new Interests(rules, top), below: all, belowHidden, isStrict, scope };
  }

  #canReport({ name, supported }: Backend, path: Uint8Array, { planned }: Claim): boolean {
    const events = eventsOf(planned.condition);
    if ((events & supported) !== 0) return true;
    const names = namesOf(events).join(", ");
    this.#fail(`Cannot watch ${quoted(path)} for ${names}: ${name} does not report that`);
    return false;
  }

  #warnIfNeverMet({ planned, names }: Claim, { path, node }: Root): void {
    if (node === null || names !== null) return;
    const { condition, filter } = planned;
    const isHeard = node.isDirectory || filter === undefined;
    const why =
      whyNeverMet(condition, node.isDirectory) ?? (isHeard ? null : whyNeverHeard(filter, path));
    if (why === null) return;
    this.#options.log.warn(`Rule ${quoted(planned.name)} never fires for ${quoted(path)}: ${why}`);
  }

  /** inotify(7) has no word for it. */
  #warnOfActor(
    { rule, planned: { actor, name } }: Claim,
    path: Uint8Array,
    how: "inotify" | "polling" | "fanotify without privilege",
  ): void {
    if (actor === undefined || this.#saidOfActors.has(rule)) return;
    this.#saidOfActors.add(rule);
    this.#options.log.warn(
      `Rule ${quoted(name)} ${effectOfNotKnowing(actor)} for ${quoted(path)}: ${how} does not tell who did it; fanotify does, as root`,
    );
  }

  #table(backend: Backend): WatchTable {
    const known = this.#tables.get(backend);
    if (known !== undefined) return known;
    const table = new WatchTable(backend, { ...this.#options, observer: this.#observer });
    this.#tables.set(backend, table);
    this.#tableList.push(table);
    return table;
  }

  /** What is watched now: complete when no directory is left to walk. */
  report(plan: Plan): WatchReport {
    const watched = { inotify: 0, fanotify: 0 };
    const marks = { inotify: this.#marksOf("inotify"), fanotify: this.#marksOf("fanotify") };
    for (const { backend, roots } of this.tables) {
      watched[backend.name] += roots.size;
    }
    return {
      rules: plan.rules.length,
      watched,
      polled: { paths: this.polling.table.roots.size, entries: this.polling.table.entries },
      marks,
      failed: this.#failed.size + this.#refused.length,
      unwatched: this.#unwatched,
      waiting: this.#claims.waiting,
    };
  }
}

function isForFilesystem({ planned, recursive }: Claim): boolean {
  return recursive && planned.scope === "filesystem";
}

function isForFanotify(backend: BackendChoice): boolean {
  return backend === "fanotify" || backend === "auto";
}

/** Where the log says that a filesystem has to do with the rung below. */
function fallText({ path, error, servedBy }: Refusal): string {
  const why = `fanotify cannot name files on this filesystem (${error.message})`;
  return servedBy === null
    ? `Cannot watch ${quoted(path)}: ${why}`
    : `Using ${servedBy} for ${quoted(path)}: ${why}`;
}
