/** A record as it is seen from one place: kept while several places are asked, and told once for each path. */
import { latin1 } from "../../ffi/bytes.ts";
import type { PathPrefix } from "../output/json-text.ts";
import type { Actor } from "./actors.ts";

export interface Sighting {
  readonly met: readonly number[];
  readonly events: number;
  readonly prefix: PathPrefix;
  readonly name: Uint8Array;
  readonly isDirectory: boolean;
  readonly pid: number;
  /** Null: nobody asks, or it is not known. */
  readonly actor: Actor | null;
  /** The old path of a rename. */
  readonly from: PathPrefix | null;
}

/** Places that are one path become one sighting with all their rules. */
export function mergedByPath(sightings: readonly Sighting[]): Iterable<Sighting> {
  const byPath = new Map<string, Sighting>();
  for (const sighting of sightings) {
    const { prefix, name, from } = sighting;
    const path = latin1(prefix.raw) + latin1(name);
    const key = from === null ? path : `${path}\0${latin1(from.raw)}`;
    const same = byPath.get(key);
    byPath.set(key, same === undefined ? sighting : merged(same, sighting));
  }
  return byPath.values();
}

function merged(a: Sighting, b: Sighting): Sighting {
  const met = [...new Set([...a.met, ...b.met])].sort((x, y) => x - y);
  return { ...a, met, events: a.events | b.events, actor: a.actor ?? b.actor };
}
