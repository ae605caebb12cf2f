/** What the looks of one round found: renames are recognised, and all is told in a sensible order. */
import { eventBits } from "../event.ts";
import { bytesEqual, latin1 } from "../../ffi/bytes.ts";
import { viewRenamed } from "../rule/view.ts";
import type { Interests } from "../rule/matcher.ts";
import type { Place, Rename } from "./backend.ts";
import { hasArrived, isFresh, isOpenEnded, type Snapshot } from "./poll-snapshot.ts";
import { renamePlaces } from "./rename-places.ts";
import { joined, type Node, type Root } from "./tree.ts";

/** Who is told. */
export interface LookSink {
  /** @param events may have `viewRenamed` */
  synthetic(
    place: Place,
    events: number,
    isDirectory: boolean,
    reason: "poll",
    interests?: Interests | null,
  ): void;
  renamed(rename: Rename): void;
  /** What comes until `endGroup` is one thing seen from several places: one path makes one line. */
  beginGroup(): void;
  endGroup(): void;
}

/** Something has happened at a place. */
export interface Change {
  readonly place: Place;
  readonly events: number;
  readonly isDirectory: boolean;
}

/** An entry of a directory that a look has found, or no longer found. */
export interface Entry {
  readonly place: Place;
  readonly isDirectory: boolean;
  /** `Snapshot.key` and the device. */
  readonly key: string;
  /** Where its numbers are. */
  readonly snapshot: Snapshot;
  readonly index: number;
}

export interface Appeared extends Entry {
  /** Of a directory that is looked into: its node, and where that was until now, if it is not new. */
  readonly directory: { readonly node: Node; readonly from: Place | null } | null;
}

export interface Vanished extends Entry {
  /** The directory, if it is one that was looked into. */
  readonly node: Node | null;
  /** Another file has its name by now. */
  readonly isReplaced: boolean;
  /** It is told, and kept only to know it again. */
  isTold: boolean;
}

/** One name of a file, as each root sees it that the name is in. */
type Sight<One extends Entry> = readonly [One, ...One[]];

/** A file that had one name and has another. */
interface Pair {
  readonly from: { readonly nodes: readonly Node[]; readonly name: Uint8Array };
  readonly to: Sight<Appeared>;
  /** What was known of it; null for a directory that was found by its identity. */
  readonly before: Sight<Vanished> | null;
}

/** What the round needs to know of the tree. */
export interface ChangesHands {
  /** Everything below a directory that is gone for good, the deepest first; it is given up. */
  takeBelow(node: Node): Change[];
  /** A name that was not there before, of a file that has another name: a look at the other. */
  findOtherName(appeared: readonly Appeared[]): Map<Appeared, Vanished | "link">;
}

export class PollChanges {
  readonly #hands: ChangesHands;
  #changed: Change[] = [];
  #closed: Change[] = [];
  #appeared: Appeared[] = [];
  #vanished: Vanished[] = [];
  /** Not found in the last round: in this one it may turn up in a directory that was looked at before. */
  #missing: Vanished[] = [];

  constructor(hands: ChangesHands) {
    this.#hands = hands;
  }

  change(place: Place, events: number, isDirectory: boolean): void {
    this.#changed.push({ place, events, isDirectory });
  }

  /** It is complete. */
  close(place: Place, events: number): void {
    this.#closed.push({ place, events, isDirectory: false });
  }

  appear(entry: Appeared): void {
    this.#appeared.push(entry);
  }

  vanish(entry: Vanished): void {
    this.#vanished.push(entry);
  }

  /** Nobody wants to hear of this root any more. */
  forget(root: Root): void {
    const isOther = ({ place }: { readonly place: Place }): boolean => place.node.root !== root;
    this.#changed = this.#changed.filter(isOther);
    this.#closed = this.#closed.filter(isOther);
    this.#appeared = this.#appeared.filter(isOther);
    this.#vanished = this.#vanished.filter(isOther);
    this.#missing = this.#missing.filter(isOther);
  }

  /** Whether some names are missing, and only the next round tells. */
  get isExpecting(): boolean {
    return this.#missing.length > 0;
  }

  /**
   * All directories have been looked at: tell what has happened.
   *
   * @param looked roots that were: only there a name that is missing for the second time is gone
   */
  *tell(sink: LookSink, looked: ReadonlySet<Root>): Generator<void> {
    const { pairs, fresh, links, replaced } = this.#match();
    const gone = this.#missing.filter(
      ({ place, isTold }) => !isTold && looked.has(place.node.root),
    );
    const waiting = this.#missing.filter(({ place }) => !looked.has(place.node.root));
    const changed = this.#changed;
    const closed = this.#closed;
    this.#missing = [...waiting, ...this.#vanished];
    this.#appeared = [];
    this.#vanished = [];
    this.#changed = [];
    this.#closed = [];
    const changes: Change[] = [];
    for (const entry of [...gone, ...replaced]) changes.push(...this.#ends(entry));
    const { left, found } = this.#tellDirectories(sink, { pairs, fresh });
    for (const entry of found) changes.push(createdAt(entry, links.has(entry)));
    // What was looked at under its old name, and found under another later in the round, comes before that.
    yield* tellAll(sink, [...changed, ...closed]);
    yield* this.#tellPairs(sink, left);
    yield* tellAll(sink, changes);
  }

  #match(): {
    readonly pairs: Pair[];
    readonly fresh: Appeared[];
    readonly links: ReadonlySet<Appeared>;
    readonly replaced: Vanished[];
  } {
    const pairs: Pair[] = [];
    const unknown: Sight<Appeared>[] = [];
    this.#appeared = latestOf(this.#appeared);
    for (const to of sightsOf(this.#appeared)) {
      const before = this.#takeVanished(to);
      const moved = to.flatMap(({ directory }) => directory?.from ?? []);
      if (moved.length > 0) pairs.push({ from: sideOf(moved), to, before: null });
      else if (before !== null) pairs.push(pairOf(before, to));
      else unknown.push(to);
    }
    const fresh: Appeared[] = [];
    const links = new Set<Appeared>();
    const others = unknown.length === 0 ? null : this.#hands.findOtherName(unknown.flat());
    for (const to of unknown) {
      const found = to.flatMap((one) => others!.get(one) ?? []);
      const before = found.flatMap((one) => (one === "link" ? [] : [one]));
      if (before.length > 0) pairs.push(pairOf(sightsOf(before)[0]!, to));
      else fresh.push(...to);
      if (found.includes("link")) for (const one of to) links.add(one);
    }
    for (const { snapshot, index } of this.#appeared)
      snapshot.setState(index, snapshot.state(index) & ~isFresh);
    return { pairs, fresh, links, replaced: this.#takeReplaced(pairs) };
  }

  /** Of those whose name another file has, the ones whose deletion is told; they may still turn up elsewhere. */
  #takeReplaced(pairs: readonly Pair[]): Vanished[] {
    const over = new Set(pairs.map(({ to }) => keyOf(to[0].place)));
    const deleted: Vanished[] = [];
    for (const one of this.#vanished) {
      if (!one.isReplaced) continue;
      one.isTold = true;
      const isOver = over.has(keyOf(one.place));
      // What was renamed over is gone without a word, as with the kernel.
      if (!isOver) deleted.push(one);
      else if (one.node !== null) this.#hands.takeBelow(one.node);
    }
    return deleted;
  }

  /** By another name in the same root, if there is one: each path to a directory sees its own rename. */
  #takeVanished(to: Sight<Appeared>): Sight<Vanished> | null {
    const [{ key }] = to;
    for (const list of [this.#vanished, this.#missing]) {
      const same = sightsOf(list.filter((one) => one.key === key));
      const sharesRoot = (sight: Sight<Vanished>): boolean =>
        sight.some((one) => to.some(({ place }) => place.node.root === one.place.node.root));
      const found = same.find(sharesRoot) ?? same[0];
      if (found === undefined) continue;
      for (const one of found) list.splice(list.indexOf(one), 1);
      return found;
    }
    return null;
  }

  #ends(entry: Vanished): Change[] {
    const { place, isDirectory, node } = entry;
    const below = node === null ? [] : this.#hands.takeBelow(node);
    return [...below, { place, events: eventBits.delete, isDirectory }];
  }

  /**
   * Directories that came to be somewhere, those above first, so that each old path is the one that the
   * lines before have led to: until its turn a renamed one is back where it was.
   *
   * @returns what is left to be told
   */
  #tellDirectories(
    sink: LookSink,
    { pairs, fresh }: { readonly pairs: readonly Pair[]; readonly fresh: readonly Appeared[] },
  ): { readonly left: readonly Pair[]; readonly found: readonly Appeared[] } {
    const moved = pairs.filter(({ before }) => before === null);
    if (moved.length === 0) return { left: pairs, found: fresh };
    const created = sightsOf(fresh.filter(({ isDirectory }) => isDirectory));
    const arrivals = [
      ...moved.map((pair) => ({ to: pair.to, pair })),
      ...created.map((to) => ({ to, pair: null })),
    ].map((one) => ({ ...one, depth: depthOf(one.to[0].place) }));
    arrivals.sort((a, b) => a.depth - b.depth);
    const back = movedBack(moved);
    for (const { to, pair } of arrivals) {
      if (pair === null)
        tellGroup(
          sink,
          to.map((one) => createdAt(one, false)),
        );
      else tellPair(sink, pair);
      for (const { directory, place } of to)
        if (directory !== null && back.has(directory.node))
          directory.node.moveTo(place.node, place.name);
    }
    return {
      left: pairs.filter(({ before }) => before !== null),
      found: fresh.filter(({ isDirectory }) => !isDirectory),
    };
  }

  *#tellPairs(sink: LookSink, pairs: readonly Pair[]): Generator<void> {
    for (const pair of pairs) {
      // A directory that went to another root is looked into anew there.
      const kept = pair.to.map(({ directory }) => directory?.node);
      for (const { node } of pair.before ?? [])
        if (node !== null && !kept.includes(node)) this.#hands.takeBelow(node);
      tellPair(sink, pair);
      yield;
    }
  }
}

/** One rename, as all roots that see a side of it do. */
function tellPair(sink: LookSink, pair: Pair): void {
  const { from, to, before } = pair;
  const { isDirectory } = to[0];
  const wasTold = before?.[0].isTold === true;
  // Its going was told as a deletion, when another file took its name.
  const view = wasTold ? 0 : viewRenamed;
  if (!wasTold && isSamePlace(from, to)) return void takeOver(to[0], before);
  sink.beginGroup();
  for (const node of wasTold ? [] : from.nodes)
    sink.synthetic({ node, name: from.name }, eventBits.moved_from | view, isDirectory, "poll");
  for (const one of to) {
    const isLater = (takeOver(one, before) & hasArrived) !== 0;
    if (!isLater) sink.synthetic(one.place, eventBits.moved_to | view, isDirectory, "poll");
  }
  const places = wasTold ? [] : renamePlaces(from, sideOf(to.map(({ place }) => place)));
  for (const one of places) sink.renamed({ ...one, isDirectory, pid: 0 });
  sink.endGroup();
}

/** It was overlooked for a round, as a directory above was on its way. */
function isSamePlace({ nodes, name }: Pair["from"], [{ place }]: Sight<Appeared>): boolean {
  return nodes.includes(place.node) && bytesEqual(name, place.name);
}

/**
 * A file is still the one it was, whether it is complete included: if it is not, its arrival is told when
 * it is, together with that, so that a rule on both runs once.
 */
function takeOver({ snapshot, index }: Appeared, before: Sight<Vanished> | null): number {
  if (before === null || !snapshot.isFile(index)) return 0;
  const [old] = before;
  const isWritten = !snapshot.hasContentOf(index, old.snapshot, old.index);
  const isOpen = (stateOf(old) & isOpenEnded) !== 0 || isWritten;
  const looksForEnd = (snapshot.state(index) & isOpenEnded) !== 0;
  const state = looksForEnd && isOpen ? isOpenEnded | hasArrived : 0;
  snapshot.setState(index, state);
  return state;
}

function stateOf({ snapshot, index }: Entry): number {
  return snapshot.state(index);
}

/** By path: overlapping roots see the same. */
function sightsOf<One extends Entry>(entries: readonly One[]): Sight<One>[] {
  const byPath = new Map<string, [One, ...One[]]>();
  for (const entry of entries) {
    const path = keyOf(entry.place);
    const same = byPath.get(path);
    if (same === undefined) byPath.set(path, [entry]);
    else same.push(entry);
  }
  return [...byPath.values()];
}

function pairOf(before: Sight<Vanished>, to: Sight<Appeared>): Pair {
  return { from: sideOf(before.map(({ place }) => place)), to, before };
}

function sideOf(places: readonly Place[]): Pair["from"] {
  return { nodes: places.map(({ node }) => node), name: places[0]!.name };
}

function createdAt({ place, isDirectory, snapshot, index }: Appeared, isLink: boolean): Change {
  const isWritten = snapshot.isFile(index) && !snapshot.isEmpty(index) && !isLink;
  if (isLink) snapshot.setState(index, 0);
  const events = eventBits.create | (isWritten ? eventBits.modify : 0);
  return { place, events, isDirectory };
}

/** What several roots see of one path is one line. */
function* tellAll(sink: LookSink, changes: readonly Change[]): Generator<void> {
  const roots = new Set(changes.map(({ place }) => place.node.root));
  if (roots.size < 2) {
    for (const { place, events, isDirectory } of changes) {
      sink.synthetic(place, events, isDirectory, "poll");
      yield;
    }
    return;
  }
  const byPath = new Map<string, Change[]>();
  for (const change of changes) {
    const key = `${change.events} ${keyOf(change.place)}`;
    const same = byPath.get(key);
    if (same === undefined) byPath.set(key, [change]);
    else same.push(change);
  }
  for (const same of byPath.values()) {
    tellGroup(sink, same);
    yield;
  }
}

function tellGroup(sink: LookSink, same: readonly Change[]): void {
  sink.beginGroup();
  for (const { place, events, isDirectory } of same)
    sink.synthetic(place, events, isDirectory, "poll");
  sink.endGroup();
}

/** A directory that was renamed while the round was under way may have been found twice: it is where it was last. */
function latestOf(appeared: readonly Appeared[]): Appeared[] {
  const byNode = new Map<Node | Appeared, Appeared>();
  for (const one of appeared) {
    const { directory } = one;
    const earlier = directory === null ? undefined : byNode.get(directory.node);
    const from = earlier === undefined ? (directory?.from ?? null) : earlier.directory!.from;
    const latest = directory === null ? one : { ...one, directory: { ...directory, from } };
    byNode.set(directory?.node ?? one, latest);
  }
  return [...byNode.values()];
}

/** @returns the nodes that were moved: not those that are given up, as nobody wants to hear of them there */
function movedBack(moved: readonly Pair[]): Set<Node> {
  const back = new Set<Node>();
  for (const { directory } of moved.flatMap(({ to }) => to).toReversed()) {
    const { node, from } = directory!;
    if (from === null || node.parent?.latestChild(node.name) !== node) continue;
    node.moveTo(from.node, from.name);
    back.add(node);
  }
  return back;
}

function depthOf({ node }: Place): number {
  let depth = 0;
  for (let at: Node | null = node; at !== null; at = at.parent) depth++;
  return depth;
}

function keyOf({ node, name }: Place): string {
  return latin1(name.length === 0 ? node.path : joined(node, name));
}
