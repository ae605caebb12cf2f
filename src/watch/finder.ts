/** Finds directories of filesystems that are watched as a whole, when a record names them first. */
import { bytesEqual, cString, utf8 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { readLink } from "../../ffi/files.ts";
import {
  identityBeside,
  isSameFilesystem,
  type MountedIdentity,
  pathByIdentity,
} from "../../ffi/fanotify/calls.ts";
import type { DirectoryFinder, WholeFilesystems } from "./backend.ts";
import type { Directories } from "./directories.ts";
import type { DirectoryName } from "./fanotify-ahead.ts";
import { OpenDirectory } from "./open-directory.ts";
import type { Node, Root } from "./tree.ts";
import { isLeftOut } from "./want.ts";

const dotDot = utf8("..");
const slash = 0x2f;

/** rmdir(2) makes a handle stale a moment before it queues the record that tells of it: milliseconds. */
const recordComesWithin = 5;

/** Where a root is. */
interface Location extends MountedIdentity {
  readonly root: Root;
}

/** What a look at a directory by its handle gives. */
type Look = DirectoryName | "top" | "gone";

/**
 * A directory's place is its name in its parent, and so on up to a root. A look tells what is so now; but
 * the record in hand may be older, and others that are queued behind it may tell that the directory, or
 * one that it is in, has been renamed or deleted since. So whatever a look gives, a name that is given up
 * by a queued record counts more: it is the one that the directory had.
 */
export class Finder implements DirectoryFinder {
  readonly #filesystems: WholeFilesystems;
  readonly #directories: Directories;
  readonly #locations = new Map<Root, Location>();
  /** By mount: a descriptor in it, for the time of a read. */
  readonly #anchors = new Map<number, OpenDirectory | null>();
  #lost = 0;

  constructor(filesystems: WholeFilesystems, directories: Directories) {
    this.#filesystems = filesystems;
    this.#directories = directories;
  }

  /** @throws {SyscallError} about its path, and EPERM where we may not open by handle */
  add(root: Root): void {
    const identity = root.node!.mark.identity!;
    using top = OpenDirectory.follow(cString(root.path));
    const { mountId } = identityBeside(top.path, identity);
    pathByIdentity(top.number, identity).close();
    this.#locations.set(root, { root, identity, mountId });
    this.#filesystems.lookAgain();
  }

  /** @returns whether it was there */
  remove(root: Root): boolean {
    return this.#locations.delete(root);
  }

  /** Those on the filesystem of a directory. */
  rootsOn(identity: Uint8Array): Root[] {
    return this.#locationsOn(identity).map(({ root }) => root);
  }

  #locationsOn(identity: Uint8Array): Location[] {
    const all = [...this.#locations.values()];
    return all.filter((one) => isSameFilesystem(one.identity, identity));
  }

  find(identity: Uint8Array): void {
    if (this.#filesystems.isFound(identity)) return;
    const nodes = this.#filesystems.markOf(identity)?.nodes ?? [];
    const missing = this.#locationsOn(identity).filter(
      ({ root }) => !nodes.some((node) => node.root === root),
    );
    for (const mountId of new Set(missing.map((one) => one.mountId)))
      this.#findIn(
        identity,
        missing.filter((one) => one.mountId === mountId),
      );
    this.#filesystems.found(identity);
  }

  /** @param roots all in one mount */
  #findIn(identity: Uint8Array, roots: readonly Location[]): void {
    const place = this.#placeOf(identity, roots[0]!);
    if (place === null || bytesEqual(place.parent, identity)) return;
    this.find(place.parent);
    for (const { root } of roots) {
      const parent = this.nodeOf(place.parent, root);
      if (parent === null || isLeftOut(parent, place.name)) continue;
      this.#directories.know(identity, { parent, name: place.name });
    }
  }

  nodeOf(identity: Uint8Array, root: Root): Node | null {
    const nodes = this.#filesystems.markOf(identity)?.nodes;
    return nodes?.find((node) => node.root === root) ?? null;
  }

  /** As of the record in hand. */
  #placeOf(identity: Uint8Array, near: Location): DirectoryName | null {
    const told = this.#filesystems.nameUntilThen(identity);
    if (told !== null) return told;
    const found = this.#look(identity, near);
    this.#filesystems.readAhead();
    const toldSince = this.#filesystems.nameUntilThen(identity);
    if (toldSince !== null) return toldSince;
    if (found === "gone") return this.#waitForRecord(identity);
    return found === "top" ? null : found;
  }

  #waitForRecord(identity: Uint8Array): DirectoryName | null {
    const until = performance.now() + recordComesWithin;
    for (let left = recordComesWithin; left > 0; left = until - performance.now()) {
      this.#filesystems.readAhead({ waitMs: Math.ceil(left) });
      const told = this.#filesystems.nameUntilThen(identity);
      if (told !== null) return told;
    }
    this.#lost++;
    return null;
  }

  /** Where a directory is now, which queued records may be about to tell; null if they are. */
  whereNow(identity: Uint8Array, root: Root): DirectoryName | null {
    const near = this.#locations.get(root);
    if (near === undefined) return null;
    const found = this.#look(identity, near);
    this.#filesystems.readAhead();
    const isTold = this.#filesystems.nameUntilThen(identity) !== null;
    return isTold || typeof found === "string" ? null : found;
  }

  #look(identity: Uint8Array, near: Location): Look {
    const anchor = this.#anchorIn(near);
    if (anchor === null) return "gone"; // and the root with it
    try {
      using directory = new OpenDirectory(pathByIdentity(anchor.number, identity));
      const parent = identityBeside(directory.entry(dotDot), identity);
      const path = readLink(directory.path);
      const name = path.slice(path.lastIndexOf(slash) + 1);
      const isInMount = parent.mountId === near.mountId;
      if (!isInMount && !isSeenAbove(directory, name, { identity, mountId: near.mountId }))
        return "top";
      return { parent: parent.identity, name };
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      // Behind ".." nothing is found where a mount shows only a part which the directory is not in.
      return error.syscall === "open_by_handle_at" ? "gone" : "top";
    }
  }

  /** The root itself may have been moved: then something above it will do. */
  #anchorIn({ root, mountId }: Location): OpenDirectory | null {
    const known = this.#anchors.get(mountId);
    if (known !== undefined) return known;
    let anchor: OpenDirectory | null = null;
    for (const path of pathsUpFrom(root.path))
      anchor ??= anchorAt(path, mountId, root.node!.mark.identity!);
    this.#anchors.set(mountId, anchor);
    return anchor;
  }

  rest(): void {
    if (this.#anchors.size === 0) return;
    for (const anchor of this.#anchors.values()) anchor?.[Symbol.dispose]();
    this.#anchors.clear();
  }

  get hasLost(): boolean {
    return this.#lost > 0;
  }

  /** Directories that were gone before they could be found. */
  takeLost(): number {
    const count = this.#lost;
    this.#lost = 0;
    return count;
  }
}

/**
 * Behind ".." is another mount: above the top of ours, or over the directory above, which is hidden then,
 * unless it is mounted on itself.
 */
function isSeenAbove(
  directory: OpenDirectory,
  name: Uint8Array,
  { identity, mountId }: MountedIdentity,
): boolean {
  const entry = new Uint8Array([...dotDot, slash, ...name]);
  const seen = identityBeside(directory.entry(entry), identity);
  return seen.mountId !== mountId && bytesEqual(seen.identity, identity);
}

/** A path, and those of the directories above it. */
export function pathsUpFrom(path: Uint8Array): Uint8Array[] {
  const paths = [path];
  for (let at = path.lastIndexOf(slash); at > 0; at = path.lastIndexOf(slash, at - 1))
    paths.push(path.subarray(0, at));
  return path.length > 1 ? [...paths, path.subarray(0, 1)] : paths;
}

function anchorAt(path: Uint8Array, mountId: number, identity: Uint8Array): OpenDirectory | null {
  try {
    const directory = OpenDirectory.follow(cString(path));
    return directory.keepIf(({ path: held }) => identityBeside(held, identity).mountId === mountId);
  } catch (error) {
    if (error instanceof SyscallError) return null;
    throw error;
  }
}
