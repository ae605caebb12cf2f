/** The changes of names that one round found, as steps: each knows what it needs, and how it is told. */
import { eventBits } from "../event.ts";
import { bytesEqual } from "../../ffi/bytes.ts";
import { viewRenamed } from "../rule/view.ts";
import type { Place } from "./backend.ts";
import {
  type Appeared,
  type Change,
  type Entry,
  keyOf,
  type LookSink,
  type Pair,
  type Sight,
  sideOf,
  type Vanished,
} from "./poll-found.ts";
import { placeKey, type Step } from "./poll-order.ts";
import { hasArrived, isOpenEnded } from "./poll-snapshot.ts";
import { renamePlaces } from "./rename-places.ts";
import type { Node } from "./tree.ts";

export const nothingDone = { frees: [], takes: [], creates: [], moves: [], deletes: [] } as const;

export function createStep(sink: LookSink, to: Sight<Appeared>, isLink: boolean): Step {
  const tell = (): void =>
    tellGroup(
      sink,
      to.map((one) => createdAt(one, isLink)),
    );
  const creates = to.flatMap(({ directory }) => directory?.node ?? []);
  return { ...nothingDone, takes: takenBy(to), creates, tell };
}

/** A directory that was known: until its turn it is back where it was. */
export function moveStep(sink: LookSink, pair: Pair, back: ReadonlyMap<Node, Place>): Step {
  const { from, to } = pair;
  const moves = to.flatMap(({ directory }) => directory?.node ?? []);
  const tell = (): void => {
    tellPair(sink, pair);
    for (const node of moves) {
      const place = back.get(node);
      if (place !== undefined) node.moveTo(place.node, place.name);
    }
  };
  return { ...nothingDone, frees: placesOf(from), takes: takenBy(to), moves, tell };
}

export function placesOf({ nodes, name }: Pair["from"]): Place[] {
  return nodes.map((node) => ({ node, name }));
}

export function takenBy(to: Sight<Appeared>): Place[] {
  return to.map(({ place }) => place);
}

/**
 * Tell the steps, and the changes of files when the directories are where they are now: under the names
 * that these have, or, of what loses its name before, under that. Nothing comes between as long as
 * directories are not where they are.
 */
export function* tellSteps(
  sink: LookSink,
  steps: readonly Step[],
  {
    directories,
    back,
    changes,
  }: {
    readonly directories: readonly Step[];
    readonly back: ReadonlyMap<Node, Place>;
    readonly changes: readonly Change[];
  },
): Generator<void> {
  const lastMove = steps.findLastIndex((step) => directories.includes(step));
  const early = steps.slice(0, lastMove + 1);
  const lost = new Set(early.flatMap(({ frees }) => frees.map(placeKey)));
  const isEarly = ({ place }: Change): boolean => lost.size > 0 && lost.has(placeKey(place));
  for (const _ of tellAll(sink, changes.filter(isEarly)));
  for (const step of early) tellStep(step);
  for (const node of back.keys()) if (!node.isAttached) node.attach();
  yield* tellAll(
    sink,
    changes.filter((change) => !isEarly(change)),
  );
  for (const step of steps.slice(lastMove + 1)) {
    tellStep(step);
    yield;
  }
}

function tellStep({ frees, takes, deletes, tell }: Step): void {
  for (const { node } of frees) node.refreshPath();
  for (const { node } of takes) node.refreshPath();
  for (const node of deletes) node.refreshPath();
  tell();
}

/** One rename, as all roots that see a side of it do. */
export function tellPair(sink: LookSink, pair: Pair): void {
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

function createdAt({ place, isDirectory, snapshot, index }: Appeared, isLink: boolean): Change {
  const isWritten = snapshot.isFile(index) && !snapshot.isEmpty(index) && !isLink;
  if (isLink) snapshot.setState(index, 0);
  const events = eventBits.create | (isWritten ? eventBits.modify : 0);
  return { place, events, isDirectory };
}

/** What several roots see of one path is one line. */
export function* tellAll(sink: LookSink, changes: readonly Change[]): Generator<void> {
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

/**
 * Directories that are known to have moved go back for now.
 *
 * @returns where each is: not those that are given up, as nobody wants to hear of them there
 */
export function movedBack(pairs: readonly Pair[]): Map<Node, Place> {
  const back = new Map<Node, Place>();
  const moved = pairs.filter(({ before }) => before === null);
  for (const { directory } of moved.flatMap(({ to }) => to)) {
    const { node, from } = directory!;
    if (from !== null && node.isAttached) back.set(node, { node: node.parent!, name: node.name });
  }
  for (const { directory } of moved.flatMap(({ to }) => to).toReversed()) {
    const { node, from } = directory!;
    if (back.has(node)) node.moveTo(from!.node, from!.name);
  }
  return back;
}

/** How deep it is now. */
export function depthOf({ node }: Place, back: ReadonlyMap<Node, Place>): number {
  let depth = 0;
  for (let at: Node | null = node; at !== null; at = back.get(at)?.node ?? at.parent) depth++;
  return depth;
}
