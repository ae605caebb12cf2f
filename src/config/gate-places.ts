/** Where gates are, as far as one path is concerned: what the reader says to the gate thread, from the disk as it is. */
import { lstatSync, realpathSync, statSync, type Stats } from "node:fs";
import { fromLatin1, latin1 } from "../../ffi/bytes.ts";
import type { GatedRoot } from "../rule/gate-matcher.ts";
import { componentsOf } from "../rule/glob.ts";
import type { WatchPath } from "../rule/rule.ts";

/** A file as the kernel names it, and what is known of it. */
export interface Place {
  /** As it was given: absolute. */
  readonly path: Uint8Array;
  /** Without symbolic links, as far as the path is there. */
  readonly real: Uint8Array;
}

export function placeAt(path: Uint8Array): Place {
  return { path, real: realPath(path) };
}

/** The roots of one gate that a place can be in; each claims for the gate of index 0. */
export function rootsNear(watch: readonly WatchPath[], place: Place): GatedRoot[] {
  return watch.flatMap((one) =>
    one.isGlob === true ? rootsOfPattern(one, place) : rootAt(one, one.path, null),
  );
}

function rootAt(watch: WatchPath, path: Uint8Array, names: Uint8Array | null): GatedRoot[] {
  const { recursive, skipsDotDirectories = false, refusesSymlink, refusesFile } = watch;
  if (refusesSymlink === true && names === null && isSymlink(path)) return [];
  const isDirectory = statusOf(path)?.isDirectory() ?? true;
  if (refusesFile === true && !isDirectory) return [];
  const claim = { gate: 0, recursive, skipsHidden: skipsDotDirectories, names };
  return [{ path: realPath(path), isDirectory, claims: [claim] }];
}

/** What a pattern matches is a root if it is a directory, and else a name in the directory above it. */
function rootsOfPattern(watch: WatchPath, { path, real }: Place): GatedRoot[] {
  const components = componentsOf(watch.path);
  const last = watch.path.lastIndexOf(slash) + 1;
  const roots: GatedRoot[] = [];
  for (const one of [path, real]) {
    const names = latin1(one)
      .split("/")
      .filter((name) => name !== "");
    const matches =
      names.length >= components.length &&
      components.every((component, at) =>
        "pattern" in component
          ? component.pattern.test(names[at]!)
          : latin1(component.literal) === names[at],
      );
    if (!matches) continue;
    const found = pathOf(names.slice(0, components.length));
    const isLeaf = names.length === components.length && !isDirectoryAt(found);
    if (!isLeaf) roots.push(...rootAt(watch, found, null));
    else if (watch.refusesFile !== true)
      roots.push(...rootAt(watch, pathOf(names.slice(0, -1)), watch.path.subarray(last)));
  }
  return roots;
}

function pathOf(names: readonly string[]): Uint8Array {
  return fromLatin1(`/${names.join("/")}`);
}

function isDirectoryAt(path: Uint8Array): boolean {
  return statusOf(path)?.isDirectory() === true;
}

function isSymlink(path: Uint8Array): boolean {
  try {
    return lstatSync(Buffer.from(path)).isSymbolicLink();
  } catch {
    return false;
  }
}

/** Null if nothing is there, or it may not be looked at. */
export function statusOf(path: Uint8Array): Stats | null {
  try {
    return statSync(Buffer.from(path), { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

/** Of what is not there, the part that is. */
function realPath(path: Uint8Array): Uint8Array {
  try {
    return realpathSync(Buffer.from(path), { encoding: "buffer" });
  } catch {
    const cut = path.lastIndexOf(slash);
    if (path.length <= 1 || cut < 0) return path;
    const above = realPath(path.subarray(0, Math.max(cut, 1)));
    const name = path.subarray(cut);
    return above.length === 1 ? name : Buffer.concat([above, name]);
  }
}

const slash = 0x2f;
