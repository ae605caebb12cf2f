/** A record meets the rules of its place here: it becomes JSON lines and triggers. */
import { latin1 } from "../../ffi/bytes.ts";
import { eventBits, type SyntheticReason } from "../event.ts";
import { unknownFamily } from "../family/family.ts";
import type { FamilySource } from "../family/families.ts";
import type { JsonLines } from "../output/json-lines.ts";
import { type PathPrefix, pathPrefix } from "../output/json-text.ts";
import type { Interests, Verdict } from "../rule/matcher.ts";
import { lossHead, overflowRules, type RuleSet, type Tally } from "../rule/rule-set.ts";
import type { Disk } from "../rule/subject.ts";
import { viewDirectory, viewSelf } from "../rule/view.ts";
import type { Place, Rename } from "../watch/backend.ts";
import { joined, type Node } from "../watch/tree.ts";
import type { Actor, ActorSource } from "./actors.ts";
import { Sieve } from "./sieve.ts";
import { mergedByPath, type Sighting } from "./sighting.ts";
import type { TriggerWriter } from "./trigger.ts";

const noName = new Uint8Array(0);

export interface MeetingOptions {
  readonly lines: JsonLines;
  readonly triggers: TriggerWriter;
  readonly disk: Disk;
  readonly actors: ActorSource;
  readonly families: FamilySource;
  /** The buffer of lines is large: write it now. */
  readonly linesAreMany: () => void;
}

/** More than this in the buffer is written at once: 1 MiB is what a pipe takes at most. */
const linesBytesMax = 1024 * 1024;

export class Meeting {
  readonly #lines: JsonLines;
  readonly #triggers: TriggerWriter;
  readonly #actors: ActorSource;
  readonly #families: FamilySource;
  readonly #linesAreMany: () => void;
  readonly #sieve: Sieve;
  #rules: RuleSet | null = null;
  #group: Sighting[] | null = null;
  /** Of groups and renames: null while what comes is from records, and not from looks. */
  reason: SyntheticReason | null = null;

  constructor({ lines, triggers, disk, actors, families, linesAreMany }: MeetingOptions) {
    this.#lines = lines;
    this.#triggers = triggers;
    this.#actors = actors;
    this.#families = families;
    this.#linesAreMany = linesAreMany;
    this.#sieve = new Sieve(disk, actors);
  }

  /** From now on records meet these rules. */
  setRules(rules: RuleSet): void {
    this.#rules = rules;
  }

  /** The path of every event: look up the verdict, write the line, note the triggers. */
  record(
    interests: Interests,
    kind: number,
    node: Node,
    prefix: PathPrefix,
    name: Uint8Array,
    start: number,
    end: number,
    pid: number,
    synthetic: SyntheticReason | null,
  ): void {
    const heard =
      interests.hearings === null
        ? interests
        : this.#sieve.pass(interests, kind, node, name, start, end);
    const verdict = heard.verdict(kind, name, start, end);
    if (verdict.isNothing) return;
    const isDirectory = (kind & viewDirectory) !== 0;
    const plain = verdict.partial.length === 0 && verdict.forgetting.length === 0;
    if (plain && this.#group === null) {
      const { head } = verdict;
      const actor = verdict.tellsActor ? this.#actors.current : null;
      const seq = this.#lines.event(
        head,
        prefix,
        name,
        start,
        end,
        isDirectory,
        pid,
        null,
        synthetic,
        actor?.json,
      );
      count(verdict.tallies);
      if (verdict.running.length > 0)
        this.#trigger(verdict, kind, prefix, name, start, end, pid, seq, actor, synthetic);
      if (this.#lines.byteLength > linesBytesMax) this.#linesAreMany();
      return;
    }
    const copy = name.slice(start, end);
    const met = plain ? verdict.met : remember(verdict, kind, `${node.id}/${latin1(copy)}`);
    if (met.length === 0) return;
    const { events } = verdict;
    const actor = this.#actorFor(met);
    const sighting = { met, events, prefix, name: copy, isDirectory, pid, actor, from: null };
    this.#see(sighting, synthetic);
  }

  /** What is left of `interests` without the rules that hear of an entry at other places. */
  unheard(
    interests: Interests,
    kind: number,
    name: Uint8Array,
    others: readonly Node[],
  ): Interests | null {
    const heard = new Set<number>();
    for (const node of others) {
      if (node.interests === null) continue;
      const passed = this.#sieve.pass(node.interests, kind, node, name, 0, name.length);
      const { met, partial } = passed.verdict(kind, name, 0, name.length);
      for (const rule of met) heard.add(rule);
      for (const { rule } of partial) heard.add(rule);
    }
    return interests.without(heard);
  }

  /** The commands of a record that is told by itself. */
  #trigger(
    { running, events }: Verdict,
    kind: number,
    prefix: PathPrefix,
    name: Uint8Array,
    start: number,
    end: number,
    pid: number,
    seq: number,
    actor: Actor | null,
    synthetic: SyntheticReason | null,
  ): void {
    const seen = events | (kind & (viewSelf | viewDirectory));
    const family = this.#familyOf(pid, synthetic);
    for (let i = 0; i < running.length; i++) {
      const rule = running[i]!;
      const packed = actor === null ? null : this.#packed(rule, actor);
      this.#triggers.add(
        rule,
        seen,
        pid,
        seq,
        prefix.raw,
        name,
        start,
        end,
        null,
        packed,
        synthetic,
        family,
      );
    }
  }

  rename({ from, to, isDirectory, pid }: Rename): void {
    const kind = eventBits.rename | (isDirectory ? viewDirectory : 0);
    const met = new Set<number>();
    const partial = new Map<object, Verdict["partial"][number]>();
    for (const { node, name } of [to, from]) {
      const interests = node.interests;
      const heard = interests && this.#sieve.pass(interests, kind, node, name, 0, name.length, to);
      const verdict = heard?.verdict(kind, name, 0, name.length);
      for (const rule of verdict?.met ?? []) met.add(rule);
      for (const one of verdict?.partial ?? []) partial.set(one.memory, one);
    }
    const path = `${to.node.id}/${latin1(to.name)}`;
    for (const { rule, memory, groups, isMuted } of partial.values()) {
      memory.forget(path); // of the file that had the name before
      if (memory.add(path, groups) && !isMuted) met.add(rule);
    }
    if (met.size === 0) return;
    const rules = [...met].sort((a, b) => a - b);
    this.#see({
      met: rules,
      events: eventBits.rename,
      prefix: to.node.prefix,
      name: to.name,
      isDirectory,
      pid,
      actor: this.#actorFor(rules),
      from: prefixOf(from),
    });
  }

  beginGroup(): void {
    this.#group = [];
  }

  endGroup(): void {
    const group = this.#group ?? [];
    this.#group = null;
    for (const sighting of mergedByPath(group)) this.#emit(sighting, this.reason);
  }

  /** The kernel said that records are lost. */
  loss(): void {
    this.#lines.loss(lossHead);
    const rules = this.#rules!;
    for (const rule of overflowRules(rules.rules)) {
      if (rules.isSpent(rule)) continue;
      rules.spend(rule);
      const { runs, watch } = rules.rules[rule]!;
      if (!runs) {
        rules.tally(rule);
        continue;
      }
      const path = watch[0]!.path;
      const events = eventBits.q_overflow | viewSelf;
      const { seq } = this.#lines;
      const by = unknownFamily; // whoever filled it
      this.#triggers.add(rule, events, 0, seq, path, noName, 0, 0, null, null, null, by);
    }
  }

  /** The rarer records: several places, several names, or rules that remember. */
  #see(sighting: Sighting, synthetic = this.reason): void {
    if (this.#group !== null) this.#group.push(sighting);
    else this.#emit(sighting, synthetic);
  }

  #emit(
    { met, events, prefix, name, isDirectory, pid, actor, from }: Sighting,
    synthetic: SyntheticReason | null,
  ): void {
    const rules = this.#rules!;
    const head = rules.head(met, events);
    const { length } = name;
    const seq = this.#lines.event(
      head,
      prefix,
      name,
      0,
      length,
      isDirectory,
      pid,
      from,
      synthetic,
      actor?.json,
    );
    const seen = events | (length === 0 ? viewSelf : 0) | (isDirectory ? viewDirectory : 0);
    const old = from?.raw ?? null;
    for (const rule of met) {
      if (!rules.rules[rule]!.runs) {
        rules.tally(rule);
        continue;
      }
      const packed = actor === null ? null : this.#packed(rule, actor);
      const family = this.#familyOf(pid, synthetic);
      this.#triggers.add(
        rule,
        seen,
        pid,
        seq,
        prefix.raw,
        name,
        0,
        length,
        old,
        packed,
        synthetic,
        family,
      );
    }
  }

  /** What a look found nobody is told to have done. */
  #familyOf(pid: number, synthetic: SyntheticReason | null): number {
    return synthetic === null ? this.#families.of(pid) : unknownFamily;
  }

  #actorFor(met: readonly number[]): Actor | null {
    return this.#rules!.tellsActor(met) ? this.#actors.current : null;
  }

  /** For a command of this rule, if it asks. */
  #packed(rule: number, actor: Actor): Uint8Array | null {
    return this.#rules!.rules[rule]!.actor === undefined ? null : actor.packed;
  }
}

/** For `facron status`. */
function count(tallies: readonly Tally[]): void {
  for (let i = 0; i < tallies.length; i++) tallies[i]!.count++;
}

/** Rules met by this record together with what the path has seen before. */
function remember(verdict: Verdict, kind: number, path: string): readonly number[] {
  const isNewFile = (kind & eventBits.moved_to) !== 0;
  if (isNewFile) for (const memory of verdict.forgetting) memory.forget(path);
  const met = new Set(verdict.met);
  for (const { rule, memory, groups, isMuted } of verdict.partial) {
    if (memory.add(path, groups) && !isMuted) met.add(rule);
  }
  if (!isNewFile) for (const memory of verdict.forgetting) memory.forget(path);
  return [...met].sort((a, b) => a - b);
}

function prefixOf({ node, name }: Place): PathPrefix {
  return pathPrefix(joined(node, name));
}
