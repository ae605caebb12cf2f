/** By which mount each root is watched, and which roots a mount has covered: what it hid was there before. */
import { cString, latin1 } from "../../ffi/bytes.ts";
import { RawStatus } from "../../ffi/files.ts";
import { inodeIn, mountIn } from "./poll-snapshot.ts";
import type { Root } from "./tree.ts";

const nothingThere = "nothing ";
const slash = 0x2f;

export class RootMounts {
  /** As `placeAt` has what is watched. */
  readonly #places = new WeakMap<Root, string>();
  /** By path: what was there before something was mounted above, or unmounted. */
  readonly #covered = new Map<string, string>();

  /** What is at the path of a root now is watched. */
  watched(root: Root): void {
    const place = placeAt(root.path);
    this.#places.set(root, place);
    const key = latin1(root.path);
    if (this.#covered.get(key) === place) this.#covered.delete(key);
  }

  /** Whether another mount is at the path of a root, or above it, than the one by which it is watched. */
  isElsewhere(root: Root): boolean {
    return mountOf(this.#placeOf(root)) !== mountOf(nearestTo(root.path));
  }

  /** What was watched is hidden. */
  cover(root: Root): void {
    this.#covered.set(latin1(root.path), this.#placeOf(root));
  }

  /** Whether what is at a path now was watched there until something was mounted above. */
  isUncovered(path: Uint8Array): boolean {
    const place = this.#covered.get(latin1(path));
    return place !== undefined && placeAt(path) === place;
  }

  #placeOf(root: Root): string {
    return this.#places.get(root) ?? nothingThere;
  }
}

/** What is at a path, and by which mount: the same filesystem that is mounted anew is another. */
function placeAt(path: Uint8Array): string {
  const status = new RawStatus();
  return status.read(cString(path), 0) === 0
    ? `${mountIn(status)} ${inodeIn(status)}`
    : nothingThere;
}

/** The same for the nearest directory above that is there. */
function nearestTo(path: Uint8Array): string {
  for (let end = path.length; end > 0; end = path.lastIndexOf(slash, end - 1)) {
    const place = placeAt(path.subarray(0, end));
    if (place !== nothingThere) return place;
  }
  return placeAt(path.subarray(0, 1));
}

function mountOf(place: string): string {
  return place.slice(0, place.indexOf(" "));
}
