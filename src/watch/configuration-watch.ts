/** The names on which the rules depend: says when one comes, goes or is written. */
import { cString, fromLatin1, latin1, pathBytes } from "../../ffi/bytes.ts";
import { S_IFDIR } from "../../ffi/files.ts";
import { statusOrNull } from "./own-outputs.ts";
import { contentsMask, SideWatch, type Wanted } from "./side-watch.ts";

/** A name in a directory. */
export interface DependedName {
  /** Absolute. */
  readonly directory: string;
  /** Null: any name in it. */
  readonly name: string | null;
}

export class ConfigurationWatch {
  readonly #side = new SideWatch(contentsMask);

  /** For poll(2); -1 while nothing is watched. */
  get pollFd(): number {
    return this.#side.pollFd;
  }

  /** Watch these and no others. What may not be watched is not reloaded by itself. */
  watch(names: readonly DependedName[]): void {
    this.#side.set(names.map(wantedFor), () => {});
  }

  /** @returns whether one of them was changed */
  read(): boolean {
    return this.#side.read();
  }
}

/** In a directory that is not there yet: the first of those above it that has to come. */
function wantedFor({ directory, name }: DependedName): Wanted {
  const missing = firstMissing(latin1(pathBytes(directory)));
  return missing ?? { directory: bare(directory), names: name === null ? anyName : bare(name) };
}

function firstMissing(path: string): Wanted | null {
  let at = "";
  for (const names of path.split("/").filter((component) => component !== "")) {
    const next = `${at}/${names}`;
    if (statusOrNull(cString(fromLatin1(next)))?.kind !== S_IFDIR) return { directory: at, names };
    at = next;
  }
  return null;
}

/** One char for one byte, and "" for the root. */
function bare(path: string): string {
  return path === "/" ? "" : latin1(pathBytes(path));
}

function anyName(): boolean {
  return true;
}
