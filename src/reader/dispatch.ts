/** Records meet rules here: what a backend delivers becomes JSON lines and triggers. */
import { bytesEqual, latin1 } from "../../ffi/bytes.ts";
import { eventBits, selfEvents, type SyntheticReason } from "../event.ts";
import type { JsonLines } from "../output/json-lines.ts";
import { type PathPrefix, pathPrefix } from "../output/json-text.ts";
import {
  type Interests,
  lossHead,
  overflowRules,
  type RuleSet,
  type Verdict,
  viewDirectory,
  viewSelf,
} from "../rule/matcher.ts";
import type {
  DirectoryEntry,
  DirectoryMove,
  EventSink,
  GoneReason,
  Place,
  Rename,
} from "../watch/backend.ts";
import type { RealDisk } from "../watch/disk.ts";
import type { Mark } from "../watch/tree.ts";
import { isOwnOutput, joined, type Node, type Root } from "../watch/tree.ts";
import { contentChanges } from "../watch/want.ts";
import { notedEvents } from "../watch/recently-told.ts";
import type { WatchTable } from "../watch/watch-table.ts";
import { Sieve } from "./sieve.ts";
import type { TriggerWriter } from "./trigger.ts";

const noName = new Uint8Array(0);

/** Events after which a name may stand for another file than before. */
const namings = eventBits.moved_to | eventBits.create;

/** One of the places from which a record is seen, while they are collected. */
interface Sighting {
  readonly met: readonly number[];
  readonly events: number;
  readonly prefix: PathPrefix;
  readonly name: Uint8Array;
  readonly isDirectory: boolean;
  readonly pid: number;
  /** The old path of a rename. */
  readonly from: PathPrefix | null;
}

export interface DispatchHooks {
  /** The buffer of lines is large: write it now. */
  linesAreMany(): void;
  /** The kernel said that records are lost. */
  overflow(table: WatchTable): void;
  /** Other directories may be left out than before. */
  ignoreFileChanged(root: Root, table: WatchTable): void;
  /** A record came through about an entry in a new directory, or, without a name, about a place itself. */
  entrySeen(node: Node, events: number, name: Uint8Array, start: number, end: number): void;
}

/** More than this in the buffer is written at once: 1 MiB is what a pipe takes at most. */
const linesBytesMax = 1024 * 1024;

export class Dispatch implements EventSink {
  readonly lines: JsonLines;
  readonly triggers: TriggerWriter;
  readonly #hooks: DispatchHooks;
  readonly #disk: RealDisk;
  readonly #sieve: Sieve;
  /** The table that the records come from. */
  #table: WatchTable | null = null;
  #rules: RuleSet | null = null;
  #group: Sighting[] | null = null;
  /** Directories whose entries `entrySeen` wants to hear of; almost always none. */
  watchedEntries = 0;

  constructor(
    lines: JsonLines,
    triggers: TriggerWriter,
    { disk, ...hooks }: DispatchHooks & { readonly disk: RealDisk },
  ) {
    this.#disk = disk;
    this.#sieve = new Sieve(disk);
    this.lines = lines;
    this.triggers = triggers;
    this.#hooks = hooks;
  }

  /** From now on records meet these rules. */
  setRules(rules: RuleSet): void {
    this.#rules = rules;
  }

  /** Read once from a table's backend. @returns bytes read */
  read(table: WatchTable): number {
    this.#table = table;
    this.#disk.moment++;
    return table.backend.read(this);
  }

  self(node: Node, events: number, isDirectory: boolean, pid: number): void {
    const interests = node.interests;
    if (interests === null) return;
    if (this.watchedEntries > 0) this.#hooks.entrySeen(node, events, noName, 0, 0);
    const kind = events | viewSelf | (isDirectory ? viewDirectory : 0);
    this.#meet(interests, kind, node, node.self, noName, 0, 0, pid, null);
    if (node.parent !== null) return;
    // A look is ahead of the records that are still queued: none where the kernel will say more.
    if ((events & selfEvents) !== 0) this.#table!.checkRoot(node.root, "moved");
    else if ((events & eventBits.attrib) !== 0 && !node.isDirectory)
      this.#table!.checkRoot(node.root, "changed");
  }

  child(
    node: Node,
    events: number,
    isDirectory: boolean,
    name: Uint8Array,
    start: number,
    end: number,
    pid: number,
    view: number,
  ): void {
    const interests = node.interests;
    if (interests === null) return;
    const table = this.#table!;
    const { ignoreNames } = interests;
    if (ignoreNames !== null && (events & contentChanges) !== 0) {
      const changed = name.subarray(start, end);
      if (ignoreNames.some((one) => bytesEqual(one, changed)))
        this.#hooks.ignoreFileChanged(node.root, table);
    }
    if (table.isUnsettled) {
      const tell = () => {
        const copy = name.slice(start, end);
        return () => this.child(node, events, isDirectory, copy, 0, copy.length, pid, view);
      };
      if (table.holdBack(node, tell)) return;
    }
    if ((events & namings) !== 0) table.noticeName(node, events, name, start, end);
    if (node.ownOutputs !== null && isOwnOutput(node, name, start, end)) return;
    if ((events & notedEvents) !== 0) table.told.note(node.id, events, name, start, end);
    if (this.watchedEntries > 0) this.#hooks.entrySeen(node, events, name, start, end);
    const kind = events | view | (isDirectory ? viewDirectory : 0);
    this.#meet(interests, kind, node, node.prefix, name, start, end, pid, null);
  }

  /**
   * An event that no record said.
   *
   * @param interests who hears of it; absent: all that are there
   */
  synthetic(
    place: Place,
    events: number,
    isDirectory: boolean,
    reason: SyntheticReason,
    interests = place.node.interests,
  ): void {
    const { node, name } = place;
    if (interests === null) return;
    this.#disk.moment++;
    const isSelf = name.length === 0;
    const kind = events | (isSelf ? viewSelf : 0) | (isDirectory ? viewDirectory : 0);
    const prefix = isSelf ? node.self : node.prefix;
    this.#meet(interests, kind, node, prefix, name, 0, name.length, 0, reason);
  }

  renamed(rename: Rename): void {
    const { from, to, isDirectory, pid } = rename;
    const table = this.#table!;
    if (table.isUnsettled && table.holdBack(to.node, () => () => this.renamed(rename))) return;
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
    const sighting: Sighting = {
      met: [...met].sort((a, b) => a - b),
      events: eventBits.rename,
      prefix: to.node.prefix,
      name: to.name,
      isDirectory,
      pid,
      from: prefixOf(from),
    };
    if (this.#group !== null) this.#group.push(sighting);
    else this.#emit(sighting);
  }

  beginGroup(): void {
    this.#group = [];
  }

  /** Places that are one path become one line with all their rules. */
  endGroup(): void {
    const group = this.#group ?? [];
    this.#group = null;
    const byPath = new Map<string, Sighting>();
    for (const sighting of group) {
      const { prefix, name, from } = sighting;
      const path = latin1(prefix.raw) + latin1(name);
      const key = from === null ? path : `${path}\0${latin1(from.raw)}`;
      const same = byPath.get(key);
      byPath.set(key, same === undefined ? sighting : merged(same, sighting));
    }
    for (const sighting of byPath.values()) this.#emit(sighting);
  }

  directoryEntry(node: Node, entry: DirectoryEntry): void {
    this.#table!.directoryEntry(node, entry);
  }

  directoryMoved(move: DirectoryMove): void {
    this.#table!.directoryMoved(move);
  }

  markGone(mark: Mark, reason: GoneReason): void {
    this.#table!.markGone(mark, reason);
  }

  overflow(): void {
    this.lines.loss(lossHead);
    this.#hooks.overflow(this.#table!);
    const rules = this.#rules!;
    for (const rule of overflowRules(rules.rules)) {
      if (rules.isSpent(rule)) continue;
      rules.spend(rule);
      const { runs, watch } = rules.rules[rule]!;
      if (!runs) continue;
      const path = watch[0]!.path;
      const events = eventBits.q_overflow | viewSelf;
      this.triggers.add(rule, events, 0, this.lines.seq, path, noName, 0, 0, null);
    }
  }

  /** The path of every event: look up the verdict, write the line, note the triggers. */
  #meet(
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
      const { head, running } = verdict;
      const seq = this.lines.event(
        head,
        prefix,
        name,
        start,
        end,
        isDirectory,
        pid,
        null,
        synthetic,
      );
      for (let i = 0; i < running.length; i++) {
        const events = verdict.events | (kind & (viewSelf | viewDirectory));
        this.triggers.add(running[i]!, events, pid, seq, prefix.raw, name, start, end, null);
      }
      if (this.lines.byteLength > linesBytesMax) this.#hooks.linesAreMany();
      return;
    }
    const copy = name.slice(start, end);
    const met = plain ? verdict.met : remember(verdict, kind, `${node.id}/${latin1(copy)}`);
    if (met.length === 0) return;
    const { events } = verdict;
    const sighting = { met, events, prefix, name: copy, isDirectory, pid, from: null };
    if (this.#group !== null) this.#group.push(sighting);
    else this.#emit(sighting, synthetic);
  }

  /** The same for the rarer records: several places, several names, or rules that remember. */
  #emit(
    { met, events, prefix, name, isDirectory, pid, from }: Sighting,
    synthetic: SyntheticReason | null = null,
  ): void {
    const rules = this.#rules!;
    const head = rules.head(met, events);
    const { length } = name;
    const seq = this.lines.event(head, prefix, name, 0, length, isDirectory, pid, from, synthetic);
    const view = (length === 0 ? viewSelf : 0) | (isDirectory ? viewDirectory : 0);
    for (const rule of met) {
      if (!rules.rules[rule]!.runs) continue;
      this.triggers.add(
        rule,
        events | view,
        pid,
        seq,
        prefix.raw,
        name,
        0,
        length,
        from?.raw ?? null,
      );
    }
  }
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

function merged(a: Sighting, b: Sighting): Sighting {
  const met = [...new Set([...a.met, ...b.met])].sort((x, y) => x - y);
  return { ...a, met, events: a.events | b.events };
}

function prefixOf({ node, name }: Place): PathPrefix {
  return pathPrefix(joined(node, name));
}
