/** What the looks of one round found: renames are recognised, and all is told in a sensible order. */
import { eventBits } from "../event.ts";
import { latin1 } from "../../ffi/bytes.ts";
import { viewRenamed } from "../rule/matcher.ts";
import type { Interests } from "../rule/matcher.ts";
import type { Place, Rename } from "./backend.ts";
import { hasArrived, isOpenEnded, type Snapshot } from "./poll-snapshot.ts";
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
  /** Where it was until now, if that is known already. */
  readonly from: Place | null;
}

export interface Vanished extends Entry {
  /** The directory, if it is one that was looked into. */
  readonly node: Node | null;
  /** Another file has its name by now. */
  readonly isReplaced: boolean;
  /** It is told, and kept only to know it again. */
  isTold: boolean;
}

/** A file that had one name and has another. */
interface Pair {
  readonly from: Place;
  readonly to: Appeared;
  readonly before: Vanished | null;
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
    for (const entry of fresh) changes.push(createdAt(entry, links.has(entry)));
    yield* this.#tellPairs(sink, pairs);
    yield* tellAll(sink, [...changes, ...changed, ...closed]);
  }

  #match(): {
    readonly pairs: Pair[];
    readonly fresh: Appeared[];
    readonly links: ReadonlySet<Appeared>;
    readonly replaced: Vanished[];
  } {
    const pairs: Pair[] = [];
    const unknown: Appeared[] = [];
    for (const entry of this.#appeared) {
      const before = this.#takeVanished(entry);
      if (entry.from !== null) pairs.push({ from: entry.from, to: entry, before: null });
      else if (before === null) unknown.push(entry);
      else pairs.push({ from: before.place, to: entry, before });
    }
    const fresh: Appeared[] = [];
    const links = new Set<Appeared>();
    const others = unknown.length === 0 ? null : this.#hands.findOtherName(unknown);
    for (const entry of unknown) {
      const other = others!.get(entry);
      if (other === "link") links.add(entry);
      if (other === undefined || other === "link") fresh.push(entry);
      else pairs.push({ from: other.place, to: entry, before: other });
    }
    const over = new Set(pairs.map(({ to }) => keyOf(to.place)));
    const replaced = this.#vanished.filter(({ isReplaced, place }) => {
      return isReplaced && !over.has(keyOf(place));
    });
    for (const one of this.#vanished) {
      if (!one.isReplaced) continue;
      one.isTold = true;
      // What was renamed over is gone without a word, as with the kernel.
      if (one.node !== null && over.has(keyOf(one.place))) this.#hands.takeBelow(one.node);
    }
    return { pairs, fresh, links, replaced };
  }

  /** In the same root if it is there too: overlapping roots see one rename each. */
  #takeVanished({ key, place }: Appeared): Vanished | null {
    for (const list of [this.#vanished, this.#missing]) {
      const same = list.filter((one) => one.key === key);
      const found = same.find((one) => one.place.node.root === place.node.root) ?? same[0];
      if (found === undefined) continue;
      list.splice(list.indexOf(found), 1);
      return found;
    }
    return null;
  }

  #ends(entry: Vanished): Change[] {
    const { place, isDirectory, node } = entry;
    const below = node === null ? [] : this.#hands.takeBelow(node);
    const wasTold = (entry.snapshot.state(entry.index) & hasArrived) === 0;
    return wasTold ? [...below, { place, events: eventBits.delete, isDirectory }] : below;
  }

  /** A directory that went to another root is looked into anew there. */
  *#tellPairs(sink: LookSink, pairs: readonly Pair[]): Generator<void> {
    const byPaths = new Map<string, Pair[]>();
    for (const pair of pairs) {
      const key = `${keyOf(pair.from)}\0${keyOf(pair.to.place)}`;
      const same = byPaths.get(key);
      if (same === undefined) byPaths.set(key, [pair]);
      else same.push(pair);
    }
    for (const same of byPaths.values()) {
      if (same.every(({ before }) => before?.isTold === true)) {
        for (const { to } of same) tellArrival(sink, to);
        continue;
      }
      for (const { before } of same)
        if (before !== null && before.node !== null) this.#hands.takeBelow(before.node);
      tellRename(sink, same);
      yield;
    }
  }
}

/** Its going has been told as a deletion when another file took its name. */
function tellArrival(sink: LookSink, { place, isDirectory }: Appeared): void {
  sink.synthetic(place, eventBits.moved_to, isDirectory, "poll");
}

/** One rename, as all roots that see a side of it do. */
function tellRename(sink: LookSink, pairs: readonly Pair[]): void {
  const [{ from, to }] = pairs as readonly [Pair, ...Pair[]];
  const { isDirectory } = to;
  sink.beginGroup();
  for (const one of pairs) {
    const state = takeOver(one);
    // What had come under a name that nobody was told of does not go from there.
    const wasTold =
      one.before === null || (one.before.snapshot.state(one.before.index) & hasArrived) === 0;
    if (wasTold) sink.synthetic(one.from, eventBits.moved_from | viewRenamed, isDirectory, "poll");
    if ((state & hasArrived) === 0)
      sink.synthetic(one.to.place, eventBits.moved_to | viewRenamed, isDirectory, "poll");
  }
  const places = renamePlaces(
    { nodes: pairs.map((one) => one.from.node), name: from.name },
    { nodes: pairs.map((one) => one.to.place.node), name: to.place.name },
  );
  for (const one of places) sink.renamed({ ...one, isDirectory, pid: 0 });
  sink.endGroup();
}

/**
 * A file is still the one it was, whether it is complete included: if it is not, its arrival is told when
 * it is, together with that, so that a rule on both runs once.
 */
function takeOver({ to, before }: Pair): number {
  if (before === null || !to.snapshot.isFile(to.index)) return 0;
  const wasOpenEnded = (before.snapshot.state(before.index) & isOpenEnded) !== 0;
  const isWritten = !to.snapshot.hasContentOf(to.index, before.snapshot, before.index);
  const looksForEnd = (to.snapshot.state(to.index) & isOpenEnded) !== 0;
  const state = looksForEnd && (wasOpenEnded || isWritten) ? isOpenEnded | hasArrived : 0;
  to.snapshot.setState(to.index, state);
  return state;
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
    sink.beginGroup();
    for (const { place, events, isDirectory } of same)
      sink.synthetic(place, events, isDirectory, "poll");
    sink.endGroup();
    yield;
  }
}

function keyOf({ node, name }: Place): string {
  return latin1(name.length === 0 ? node.path : joined(node, name));
}
