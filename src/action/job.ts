/** One run of a rule's command that is due or under way: the triggers that it is for. */
import { latin1 } from "../../ffi/bytes.ts";
import type { Trigger } from "../reader/trigger.ts";
import { defaultPolicy, type Order, type Policy } from "../rule/policy.ts";
import type { Rule } from "../rule/rule.ts";
import { takesPaths } from "../rule/template.ts";

/** Bytes of paths that fit the arguments of a command (execve(2): a quarter of the stack limit, 2 MiB). */
const argumentBytesMax = 1024 * 1024;

/** On stdin there is no limit but memory, of which each run that is going on may take this and more. */
const stdinBytesMax = 64 * 1024 * 1024;

export class Job {
  /** As it was when the triggers came: a reload changes it for later ones only. */
  readonly rule: Rule;
  /** The newest: what the command's words tell of. */
  trigger: Trigger;
  /** How many events it is for: also those that a later one of the same path stands for. */
  events = 1;
  /** Rows of the journal that are done with when it is. */
  readonly tickets: number[] = [];
  /** Of its keys: those for which another job comes before it. */
  behind = 0;
  /** Runs that have been started. */
  attempts = 0;
  /** Of each path the newest, in their order: a path that comes again goes to the end. Null: `trigger` alone. */
  #newestByPath: Map<string, Trigger> | null = null;
  /** Every one, where the command gets to see each. */
  readonly #all: Trigger[] | null;
  /** Of distinct paths. */
  #pathBytes: number;
  /** Of those of every event. */
  #allBytes: number;
  #keys: readonly string[] | null = null;

  constructor(rule: Rule, trigger: Trigger) {
    this.rule = rule;
    this.trigger = trigger;
    this.#all = this.policy.stdin === "json" ? [trigger] : null;
    this.#pathBytes = trigger.path.length + 1;
    this.#allBytes = trigger.path.length + trigger.from.length;
    if (trigger.ticket !== 0) this.tickets.push(trigger.ticket);
  }

  get policy(): Policy {
    return policyOf(this.rule);
  }

  /** Triggers that it holds. */
  get size(): number {
    return this.#all?.length ?? this.#newestByPath?.size ?? 1;
  }

  get triggers(): Iterable<Trigger> {
    return this.#all ?? this.#newestByPath?.values() ?? [this.trigger];
  }

  /** What may not be done twice at once. They do not change once they have been asked for. */
  get keys(): readonly string[] {
    this.#keys ??= this.#keysNow();
    return this.#keys;
  }

  /** Distinct. */
  get paths(): Uint8Array[] {
    return Array.from(this.#newestByPath?.values() ?? [this.trigger], ({ path }) => path);
  }

  /** Whether what both are for fits one command. */
  hasRoomFor(job: Job): boolean {
    const pathBytes = this.#pathBytes + job.#pathBytes;
    if (pathBytes > argumentBytesMax && takesAllPaths(this)) return false;
    return (this.#all === null ? pathBytes : this.#allBytes + job.#allBytes) <= stdinBytesMax;
  }

  /**
   * Take over what another is for.
   *
   * @returns how many triggers are let go, as later ones stand for them
   */
  absorb(job: Job): number {
    const before = this.size + job.size;
    this.#newestByPath ??= new Map([[latin1(this.trigger.path), this.trigger]]);
    for (const trigger of job.triggers) this.#add(this.#newestByPath, trigger);
    this.events += job.events;
    for (const ticket of job.tickets) this.tickets.push(ticket);
    return before - this.size;
  }

  /** It will wait: let go of the buffer in which its trigger came, if it has but one. */
  keep(): void {
    if (this.size > 1) return;
    const trigger = kept(this.trigger);
    this.trigger = trigger;
    if (this.#all !== null) this.#all[0] = trigger;
    this.#newestByPath = null;
  }

  #add(newestByPath: Map<string, Trigger>, trigger: Trigger): void {
    this.trigger = trigger;
    this.#allBytes += trigger.path.length + trigger.from.length;
    if (this.#all !== null) this.#all.push(trigger);
    const path = latin1(trigger.path);
    const older = newestByPath.get(path);
    if (older === undefined) {
      newestByPath.set(path, trigger);
      this.#pathBytes += trigger.path.length + 1;
      return;
    }
    const events = older.events | trigger.events;
    if (this.#all === null) this.trigger = { ...trigger, events };
    newestByPath.delete(path);
    newestByPath.set(path, this.trigger);
  }

  #keysNow(): readonly string[] {
    const { order } = this.policy;
    if (this.#newestByPath === null) return keysOf(this.trigger, order);
    const keys = new Set<string>();
    for (const trigger of this.triggers) for (const key of keysOf(trigger, order)) keys.add(key);
    return [...keys];
  }
}

/** As arguments. */
function takesAllPaths({ rule, policy }: Job): boolean {
  return [rule.command, policy.onFailure].some((one) => one !== null && takesPaths(one));
}

export function policyOf(rule: Rule): Policy {
  return rule.policy ?? defaultPolicy;
}

const wholeRule = ["rule"];

/** A rename is about both of its paths. */
export function keysOf({ path, from }: Trigger, order: Order): readonly string[] {
  if (order === "none") return [];
  if (order === "rule") return wholeRule;
  return from.length === 0 ? [latin1(path)] : [latin1(path), latin1(from)];
}

/** A trigger that does not hold on to the buffer that it came in. */
export function kept(trigger: Trigger): Trigger {
  const { path, from, actor } = trigger;
  const copy = actor && {
    uid: actor.uid,
    comm: actor.comm?.slice() ?? null,
    exe: actor.exe?.slice() ?? null,
  };
  return { ...trigger, path: path.slice(), from: from.slice(), actor: copy };
}
