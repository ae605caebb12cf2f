/** Which rung of the ladder each rule gets at a path: the best that takes it, and the next below where one does not. */
import { latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { namesOf } from "../event.ts";
import { type Log, quoted } from "../log.ts";
import type { Interests } from "../rule/matcher.ts";
import { type BackendName, eventsOf } from "../rule/rule.ts";
import type { RuleSet } from "../rule/rule-set.ts";
import type { Backend } from "../watch/backend.ts";
import { cannotWatch, causeOf, isOfFilesystem, whyNotFilesystem } from "../watch/explain.ts";
import { isUnsupportedFilesystem } from "../watch/joint-backend.ts";
import { type Ladder, whyNotFanotify } from "../watch/ladder.ts";
import { isLimit } from "../watch/limits.ts";
import { isGone } from "../watch/side-watch.ts";
import type { Node, Root } from "../watch/tree.ts";
import type { RootWants } from "../watch/roots.ts";
import type { WatchTable } from "../watch/watch-table.ts";
import { type Claim, signatureOf } from "./claims.ts";
import { mayPoll, type Polling } from "./polling.ts";
import type { Refusals } from "./refusals.ts";
import { isForFilesystem, wantsOf } from "./root-wants.ts";
import type { RuleWarnings } from "./rule-warnings.ts";
import type { Tables } from "./tables.ts";

/** A path that rules claim, and what was done for it before. */
export interface ClaimedPath {
  readonly path: Uint8Array;
  readonly list: readonly Claim[];
  /** What was not watched until now has just appeared. */
  readonly isNew: boolean;
  /** Signatures of the claims that were seen to until now. */
  readonly before: readonly string[];
}

export interface RungOptions {
  readonly ladder: Ladder;
  readonly tables: Tables;
  readonly polling: Polling;
  readonly refusals: Refusals;
  readonly warnings: RuleWarnings;
  readonly log: Log;
  /** The kernel watches the root now. */
  readonly onWatched: (root: Root) => void;
  /** It went while it was looked at: what is at the path by now has to be found. */
  readonly onVanished: (path: Uint8Array) => void;
  /** More is wanted of a directory than until now, and what it is wanted for has just appeared in it. */
  readonly onAdded: (node: Node, table: WatchTable, interests: Interests) => void;
}

export class Rungs {
  readonly #options: RungOptions;
  #rules: RuleSet | null = null;
  #everyPathMustWork = false;
  #saidWhyInotify = false;

  constructor(options: RungOptions) {
    this.#options = options;
  }

  beginPlan(rules: RuleSet, { everyPathMustWork }: { readonly everyPathMustWork: boolean }): void {
    this.#rules = rules;
    this.#everyPathMustWork = everyPathMustWork;
  }

  /** Watch a path for all that claim it, each on its rung; what none takes goes to `refusals`. */
  watch(at: ClaimedPath): void {
    const polled = at.list.filter(({ planned }) => planned.backend === "poll");
    if (polled.length > 0) this.#poll(at, polled);
    const inotify = at.list.filter(({ planned }) => planned.backend === "inotify");
    const others = at.list.filter(isForFanotify);
    const left = others.length === 0 ? [] : this.#watchWithFanotify(at, others);
    const rest = [...inotify, ...left];
    if (rest.length === 0) return;
    const error = this.#watchWith(this.#options.ladder.backend("inotify"), at, rest);
    if (error !== null) this.#watchBeyondLimit(at, rest, error);
  }

  /** @returns the claims that fall to inotify, a rung below */
  #watchWithFanotify(at: ClaimedPath, given: readonly Claim[]): readonly Claim[] {
    const { path } = at;
    const backend = this.#options.ladder.backend("fanotify");
    if (backend instanceof SyscallError) return this.#doWithoutFanotify(path, given, backend);
    let claims = given;
    let error = this.#watchWith(backend, at, claims);
    if (error !== null && !isLimit(error) && claims.some(isForFilesystem)) {
      claims = this.#refuseFilesystem(path, claims, whyNotFilesystem(error));
      if (isOfFilesystem(error)) error = this.#watchWith(backend, at, claims);
    }
    if (error === null || claims.length === 0) return [];
    this.#options.refusals.fall({ path, error, servedBy: "inotify" });
    return claims;
  }

  /** @returns the claims that inotify may serve */
  #doWithoutFanotify(
    path: Uint8Array,
    given: readonly Claim[],
    error: SyscallError,
  ): readonly Claim[] {
    const why = whyNotFanotify(error);
    const claims = this.#refuseFilesystem(path, given, why);
    const auto = claims.filter(isAuto);
    if (auto.length > 0 || error.code !== "EPERM") this.#sayWhyInotify(why);
    if (auto.length === claims.length || error.code !== "EPERM") return claims;
    this.#options.refusals.fail(
      `Cannot watch ${quoted(path)}: ${why}; run facron as root, ` +
        `or use inotify (IN_ names, --backend inotify)`,
    );
    return auto;
  }

  /** It was asked for by name, so nothing less is put in its place. @returns the other claims */
  #refuseFilesystem(path: Uint8Array, claims: readonly Claim[], why: string): readonly Claim[] {
    const others = claims.filter((claim) => !isForFilesystem(claim));
    if (others.length < claims.length)
      this.#options.refusals.fail(
        `Cannot watch ${quoted(path)} with scope "filesystem": ${why}; use scope "tree"`,
      );
    return others;
  }

  /** Once: it is the same for every path. */
  #sayWhyInotify(why: string): void {
    if (this.#saidWhyInotify) return;
    this.#saidWhyInotify = true;
    this.#options.log.info(`Using inotify: ${why}`);
  }

  /** inotify is used up. */
  #watchBeyondLimit(at: ClaimedPath, claims: readonly Claim[], error: SyscallError): void {
    const { ladder, refusals, warnings } = this.#options;
    const { path } = at;
    const auto = claims.filter(isAuto);
    if (auto.length < claims.length) refusals.refuse(path, error);
    if (auto.length === 0) return;
    const fanotify = ladder.fanotifyWithoutPrivilege();
    if (this.#watchWith(fanotify, at, auto) !== null) return refusals.refuse(path, error);
    refusals.noteLimit({ path, error, servedBy: "fanotify" });
    warnings.noActors(auto, path, "fanotify without privilege");
  }

  /**
   * @returns the error if another backend may serve: the filesystem does not support this one, or a limit
   * is reached; null if nothing is left to try
   */
  #watchWith(
    backend: Backend | SyscallError,
    at: ClaimedPath,
    claims: readonly Claim[],
  ): SyscallError | null {
    if (backend instanceof SyscallError) return backend;
    const able = claims.filter((claim) => this.#canReport(backend, at.path, claim));
    if (able.length === 0) return null;
    try {
      this.#setRoot(backend, at, able);
      return null;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (isLimit(error)) return error;
      const { name } = backend;
      if (name === "fanotify" && (isUnsupportedFilesystem(error) || isOfFilesystem(error)))
        return error;
      if (this.#mayVanish(at, error)) this.#options.onVanished(at.path);
      else this.#pollInstead(name, at, { claims: able, error });
      return null;
    }
  }

  /** @throws {SyscallError} about the path */
  #setRoot(backend: Backend, at: ClaimedPath, claims: readonly Claim[]): void {
    const { tables, warnings, onWatched } = this.#options;
    const { path } = at;
    const table = tables.of(backend);
    const isNew = at.isNew && !table.mounts.isUncovered(path);
    const nodeBefore = table.roots.get(latin1(path))?.node ?? null;
    const root = table.roots.set(path, { ...wantsOf(this.#rules!, claims), isNew });
    onWatched(root);
    if (isNew) this.#tellArrival(root, table, { at, claims, nodeBefore });
    for (const claim of claims) warnings.neverMet(claim, root);
    if (backend.name === "inotify") warnings.noActors(claims, path, "inotify");
  }

  /** What is in a new directory the table tells. */
  #tellArrival(
    root: Root,
    table: WatchTable,
    what: {
      readonly at: ClaimedPath;
      readonly claims: readonly Claim[];
      readonly nodeBefore: Node | null;
    },
  ): void {
    const { node } = root;
    if (node === null) return;
    if (node !== what.nodeBefore) return table.checks.tellReplaced(root);
    const added = addedTo(what.at, what.claims);
    if (added.length > 0 && node.isDirectory)
      this.#options.onAdded(node, table, wantsOf(this.#rules!, added).top);
  }

  /** The last rung for those that leave the choice to us. */
  #pollInstead(
    name: BackendName,
    at: ClaimedPath,
    { claims, error }: { readonly claims: readonly Claim[]; readonly error: SyscallError },
  ): void {
    const { polling, refusals } = this.#options;
    const polled = claims.filter((claim) => mayPoll(claim, error));
    if (polled.length < claims.length) refusals.fail(cannotWatch(at.path, error, name));
    if (polled.length === 0) return;
    polling.sayWhy(at.path, polled, causeOf(error, name));
    this.#poll(at, polled);
  }

  #poll(at: ClaimedPath, claims: readonly Claim[]): void {
    const { polling, refusals, warnings, onVanished } = this.#options;
    const { path, isNew } = at;
    const wants = (some: readonly Claim[]): RootWants => wantsOf(this.#rules!, some);
    try {
      polling.poll({ path, claims, wants, isNew, added: addedTo(at, claims) });
      warnings.noActors(claims, path, "polling");
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (this.#mayVanish(at, error)) onVanished(path);
      else refusals.fail(cannotWatch(path, error, "inotify"));
    }
  }

  /** Whether it is no fault that nothing is at the path by now. */
  #mayVanish({ isNew }: ClaimedPath, error: SyscallError): boolean {
    return isGone(error) && (isNew || !this.#everyPathMustWork);
  }

  #canReport({ name, supported }: Backend, path: Uint8Array, { planned }: Claim): boolean {
    const events = eventsOf(planned.condition);
    if ((events & supported) !== 0) return true;
    const names = namesOf(events).join(", ");
    this.#options.refusals.fail(
      `Cannot watch ${quoted(path)} for ${names}: ${name} does not report that`,
    );
    return false;
  }
}

function isForFanotify({ planned: { backend } }: Claim): boolean {
  return backend === "fanotify" || backend === "auto";
}

function isAuto({ planned }: Claim): boolean {
  return planned.backend === "auto";
}

/** Those that were not seen to before. */
function addedTo({ before }: ClaimedPath, claims: readonly Claim[]): readonly Claim[] {
  return claims.filter((claim) => !before.includes(signatureOf(claim)));
}
