/** What the looks of one round found, name by name: what was changed, has come, is gone, or has another name. */
import { latin1 } from "../../ffi/bytes.ts";
import type { Interests } from "../rule/matcher.ts";
import type { Place, Rename } from "./backend.ts";
import type { Snapshot } from "./poll-snapshot.ts";
import { joined, type Node } from "./tree.ts";

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
export type Sight<One extends Entry> = readonly [One, ...One[]];

/** A file that had one name and has another. */
export interface Pair {
  readonly from: { readonly nodes: readonly Node[]; readonly name: Uint8Array };
  readonly to: Sight<Appeared>;
  /** What was known of it; null for a directory that was found by its identity. */
  readonly before: Sight<Vanished> | null;
}

/** By path: overlapping roots see the same. */
export function sightsOf<One extends Entry>(entries: readonly One[]): Sight<One>[] {
  const byPath = new Map<string, [One, ...One[]]>();
  for (const entry of entries) {
    const path = keyOf(entry.place);
    const same = byPath.get(path);
    if (same === undefined) byPath.set(path, [entry]);
    else same.push(entry);
  }
  return [...byPath.values()];
}

export function pairOf(before: Sight<Vanished>, to: Sight<Appeared>): Pair {
  return { from: sideOf(before.map(({ place }) => place)), to, before };
}

export function sideOf(places: readonly Place[]): Pair["from"] {
  return { nodes: places.map(({ node }) => node), name: places[0]!.name };
}

/** By path. */
export function keyOf({ node, name }: Place): string {
  return latin1(name.length === 0 ? node.path : joined(node, name));
}
