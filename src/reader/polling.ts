/** Which paths are polled for which rules: the lowest rung, and what a rule may ask for. */
import { latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { type Log, quoted } from "../log.ts";
import { durationText } from "../rule/duration.ts";
import { defaultPollIntervalMs } from "../rule/rule.ts";
import type { Interests } from "../rule/matcher.ts";
import { PollTable, type PollTableOptions } from "../watch/poll-table.ts";
import type { RootWants } from "../watch/roots.ts";
import type { Claim } from "./claims.ts";
import type { Plan, PlannedRule } from "./plan.ts";

/** What the watcher says of a path that is to be polled. */
export interface PollClaims {
  readonly path: Uint8Array;
  readonly claims: readonly Claim[];
  readonly wants: (claims: readonly Claim[]) => RootWants;
  /** The path has just appeared. */
  readonly isNew: boolean;
  /** Those of them that are new where the path is polled already. */
  readonly added: readonly Claim[];
}

export class Polling {
  readonly table: PollTable;
  readonly #log: Log;
  /** Paths of which the log says why they are polled. */
  readonly #said = new Set<string>();
  #kept = new Set<string>();

  constructor(options: PollTableOptions) {
    this.table = new PollTable(options);
    this.#log = options.log;
  }

  /** All that is not kept until `endFollow` is given up. */
  beginFollow(): void {
    this.#kept = new Set();
  }

  has(key: string): boolean {
    const root = this.table.roots.get(key);
    return root !== undefined && (root.node !== null || root.trouble !== "" || root.device === "");
  }

  /** @returns whether there is nothing more to do for the path */
  keep(key: string): boolean {
    if (!this.table.roots.has(key)) return true;
    this.#kept.add(key);
    return this.has(key);
  }

  /** @throws {SyscallError} about the path */
  poll({ path, claims, wants, isNew, added }: PollClaims): void {
    const key = latin1(path);
    const { table } = this;
    const before = table.roots.get(key)?.node ?? null;
    const intervalMs = intervalMsOf(claims);
    table.setRoot(path, { ...wants(claims), intervalMs, isNew });
    this.#kept.add(key);
    if (isNew && before?.isDirectory === true && added.length > 0) {
      const interests: Interests = wants(added).top;
      table.tellOf(before, interests);
    }
  }

  /** The last rung: neither of the kernel's interfaces takes the path. */
  sayWhy(path: Uint8Array, claims: readonly Claim[], why: string): void {
    const key = latin1(path);
    if (this.#said.has(key)) return;
    this.#said.add(key);
    const every = durationText(intervalMsOf(claims));
    this.#log.warn(`Polling ${quoted(path)} every ${every}: it cannot be watched: ${why}`);
  }

  /** @param isStart of the plan: rules from before are not met any more */
  endFollow(plan: Plan, { isStart }: { readonly isStart: boolean }): void {
    const { roots } = this.table;
    for (const [key, root] of [...roots]) {
      if (this.#kept.has(key)) continue;
      if (isStart) this.table.removeRoot(root);
      else this.table.retireRoot(root);
    }
    const waiting = plan.rules.filter(({ backend, watch }) => {
      const isThere = (path: Uint8Array): boolean => roots.get(latin1(path))?.roundsLeft === null;
      return backend === "poll" && watch.some((one) => one.isGlob === true || !isThere(one.path));
    });
    this.table.lookForArrivals(waiting.length === 0 ? 0 : shortestMs(waiting));
  }
}

function intervalMsOf(claims: readonly Claim[]): number {
  return shortestMs(claims.map(({ planned }) => planned));
}

/** What all of them are content with. */
function shortestMs(rules: readonly PlannedRule[]): number {
  return Math.min(...rules.map(({ pollIntervalMs = defaultPollIntervalMs }) => pollIntervalMs));
}

/** Whether polling can take the place of a kernel interface that refuses the path. */
export function mayPoll({ planned }: Claim, error: SyscallError): boolean {
  return planned.backend === "auto" && !isAboutPath(error);
}

/** Then looking at it would fail as well. */
function isAboutPath({ code }: SyscallError): boolean {
  return ["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG"].includes(code);
}
