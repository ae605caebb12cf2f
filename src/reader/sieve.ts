/** Filters meet records here: of the rules at a place, which hear of this one. */
import type { Answer } from "../rule/hearings.ts";
import { unknownActor } from "../rule/actor.ts";
import type { Interests, Verdict } from "../rule/matcher.ts";
import {
  type DirectoryPath,
  type Disk,
  type FileFacts,
  isDeparture,
  isEndOfWatch,
  type Subject,
  watchedItself,
} from "../rule/subject.ts";
import { viewDirectory, views, viewSelf } from "../rule/view.ts";
import type { Place } from "../watch/backend.ts";
import { joined, type Node, pathBelow } from "../watch/tree.ts";
import type { ActorSource } from "./actors.ts";

export class Sieve {
  readonly #subject: RecordSubject;
  #interests: Interests | null = null;
  #verdict: Verdict | null = null;
  readonly #actors: ActorSource;
  /** Of the record in hand: some rule would be decided by who did it, and that is not known, or not all. */
  #isUndecided = false;

  constructor(disk: Disk, actors: ActorSource) {
    this.#subject = new RecordSubject(disk);
    this.#actors = actors;
  }

  /**
   * @param kind as `Interests.verdict` takes it
   * @param factsAt where the file is by now, for the old side of a rename
   * @returns what is wanted at the place by the rules that hear of it
   */
  pass(
    interests: Interests,
    kind: number,
    node: Node,
    name: Uint8Array,
    start: number,
    end: number,
    factsAt: Place | null = null,
  ): Interests {
    const { hearings } = interests;
    if (hearings === null) return interests;
    const verdict = interests.verdict(kind, name, start, end);
    if (verdict.isNothing) return interests;
    this.#interests = interests;
    this.#verdict = verdict;
    this.#subject.set(node, kind, name.subarray(start, end), factsAt);
    this.#isUndecided = false;
    const heard = hearings.of(this.#ask);
    if (this.#isUndecided) this.#actors.undecided();
    return heard;
  }

  /** A rule that would not hear of it anyhow is not asked: looking at the disk takes its time. */
  readonly #ask = (rule: number): Answer => {
    const verdict = this.#verdict!;
    const concerned = concerns(verdict, rule);
    if (!concerned && verdict.forgetting.length === 0) return "heard";
    const filter = this.#interests!.filterOf(rule);
    if (filter !== null && filter.judgeName(this.#subject) !== null) return "left out";
    if (concerned && this.#isDenied(rule)) return "denied";
    return filter === null || filter.judgeState(this.#subject) === null ? "heard" : "muted";
  };

  #isDenied(rule: number): boolean {
    const filter = this.#interests!.actorFilterOf(rule);
    if (filter === null) return false;
    const actor = this.#actors.current;
    const { passes, isCertain } = filter.judge(actor ?? unknownActor);
    if (!isCertain) this.#isUndecided = true;
    return !passes;
  }
}

function concerns({ met, partial }: Verdict, rule: number): boolean {
  if (met.includes(rule)) return true;
  for (let i = 0; i < partial.length; i++) if (partial[i]!.rule === rule) return true;
  return false;
}

/** One for all records: nothing is kept of it. */
class RecordSubject implements Subject {
  directory: DirectoryPath = { raw: new Uint8Array(0) };
  rootLength = 0;
  name: Uint8Array = new Uint8Array(0);
  isDirectory = false;
  isOfWatch = false;
  readonly #disk: Disk;
  #place: Place | null = null;
  #facts: FileFacts | null | undefined;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  set(node: Node, kind: number, name: Uint8Array, factsAt: Place | null): void {
    const events = kind & ~views;
    this.isDirectory = (kind & viewDirectory) !== 0;
    const isWatched = (kind & viewSelf) !== 0 && node.parent === null;
    this.isOfWatch = isEndOfWatch(events, { isDirectory: this.isDirectory, isWatched });
    this.#place = factsAt ?? { node, name };
    this.#facts = isDeparture(events) ? null : undefined;
    if ((kind & viewSelf) === 0) this.#setPlace(node, name);
    else if (node.parent !== null) this.#setPlace(node.parent, node.name);
    else Object.assign(this, watchedItself(node.name));
  }

  get facts(): FileFacts | null {
    if (this.#facts !== undefined) return this.#facts;
    const { node, name } = this.#place!;
    const isRoot = name.length === 0 && node.parent === null;
    const path = name.length === 0 ? node.path : joined(node, name);
    return (this.#facts = this.#disk.facts(path, { followSymlink: isRoot }));
  }

  #setPlace(node: Node, name: Uint8Array): void {
    this.directory = node.prefix;
    this.rootLength = pathBelow(node.root);
    this.name = name;
  }
}
