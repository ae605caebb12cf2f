/** What the looks of one round found: renames are recognised, and all is told in a sensible order. */
import { eventBits } from "../event.ts";
import type { Place } from "./backend.ts";
import {
  type Appeared,
  type Change,
  keyOf,
  type LookSink,
  type Pair,
  pairOf,
  type Sight,
  sideOf,
  sightsOf,
  type Vanished,
} from "./poll-found.ts";
import { inOrder, type Step } from "./poll-order.ts";
import { markOf } from "./poll-places.ts";
import { hasLeft, isFresh } from "./poll-snapshot.ts";
import {
  createStep,
  depthOf,
  movedBack,
  moveStep,
  nothingDone,
  placesOf,
  takenBy,
  tellAll,
  tellPair,
  tellSteps,
} from "./poll-steps.ts";
import type { Node, Root } from "./tree.ts";

/** What had a name that another file has by now. */
interface Replaced {
  /** Its deletion is told. */
  readonly deleted: readonly Vanished[];
  /** Empty directories that another was renamed over. */
  readonly over: readonly Vanished[];
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
    const back = movedBack(pairs);
    const directories = this.#directorySteps(sink, { pairs, fresh, back });
    const steps = inOrder([
      ...directories,
      ...pairs.filter(({ before }) => before !== null).map((pair) => this.#pairStep(sink, pair)),
      ...sightsOf([...gone, ...replaced.deleted]).map((ended) => this.#endStep(sink, ended)),
      ...sightsOf(replaced.over).map((ended) => this.#endStep(null, ended)),
      ...sightsOf(fresh.filter(({ isDirectory }) => !isDirectory)).map((to) =>
        createStep(sink, to, links.has(to[0])),
      ),
    ]);
    yield* tellSteps(sink, steps, { directories, back, changes: [...changed, ...closed] });
  }

  #match(): {
    readonly pairs: Pair[];
    readonly fresh: Appeared[];
    readonly links: ReadonlySet<Appeared>;
    readonly replaced: Replaced;
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

  /** Those whose name another file has; they may still turn up elsewhere. */
  #takeReplaced(pairs: readonly Pair[]): Replaced {
    const names = new Map(pairs.map(({ to }) => [keyOf(to[0].place), to[0].isDirectory]));
    const deleted: Vanished[] = [];
    const over: Vanished[] = [];
    for (const one of this.#vanished) {
      if (!one.isReplaced) continue;
      one.isTold = true;
      // What was renamed over is gone without a word, as with the kernel. Only what is empty can be.
      const isOver = names.get(keyOf(one.place)) === one.isDirectory && isEmpty(one.node);
      if (!isOver) deleted.push(one);
      else if (one.node !== null) over.push(one);
    }
    return { deleted, over };
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

  /** Directories that came to be somewhere, those above first. */
  #directorySteps(
    sink: LookSink,
    {
      pairs,
      fresh,
      back,
    }: {
      readonly pairs: readonly Pair[];
      readonly fresh: readonly Appeared[];
      readonly back: ReadonlyMap<Node, Place>;
    },
  ): Step[] {
    const moved = pairs.filter(({ before }) => before === null);
    const created = sightsOf(fresh.filter(({ isDirectory }) => isDirectory));
    const arrivals = [
      ...moved.map((pair) => ({ to: pair.to, step: moveStep(sink, pair, back) })),
      ...created.map((to) => ({ to, step: createStep(sink, to, false) })),
    ].map((one) => ({ ...one, depth: depthOf(one.to[0].place, back) }));
    return arrivals.sort((a, b) => a.depth - b.depth).map(({ step }) => step);
  }

  /** @param sink null: it is not told */
  #endStep(sink: LookSink | null, ended: Sight<Vanished>): Step {
    const tell = (): void => {
      const changes = ended.flatMap(({ place, isDirectory, node }) => {
        const below = node === null ? [] : this.#hands.takeBelow(node);
        return [...below, { place, events: eventBits.delete, isDirectory }];
      });
      if (sink !== null) for (const _ of tellAll(sink, changes));
    };
    const deletes = ended.flatMap(({ node }) => node ?? []);
    return { ...nothingDone, frees: ended.map(({ place }) => place), deletes, tell };
  }

  #pairStep(sink: LookSink, pair: Pair): Step {
    const { from, to, before } = pair;
    const tell = (): void => {
      // A directory that went to another root is looked into anew there.
      const kept = to.map(({ directory }) => directory?.node);
      for (const { node } of before ?? [])
        if (node !== null && !kept.includes(node)) this.#hands.takeBelow(node);
      tellPair(sink, pair);
    };
    const creates = to.flatMap(({ directory }) => directory?.node ?? []);
    return { ...nothingDone, frees: placesOf(from), takes: takenBy(to), creates, tell };
  }
}

/** Whether nothing was left in a directory when it ended, as far as one can see. */
function isEmpty(directory: Node | null): boolean {
  if (directory === null) return true;
  const { snapshot } = markOf(directory);
  for (let index = 0; index < snapshot.count; index++)
    if ((snapshot.state(index) & hasLeft) === 0) return false;
  return true;
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
