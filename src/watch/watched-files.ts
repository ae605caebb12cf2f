/**
 * Watched files that are replaced: each record by which a path gets another file is a version, and told.
 *
 * A file's own records say that it is gone, and a look finds the one that is there by then: saved ten times
 * between two looks, nine versions would have no word. So the directory that holds the name is watched too,
 * for that name, and so are those that hold symbolic links on the way to it.
 *
 * A look may be ahead of the records that are still queued. So versions are counted: a look that finds
 * another file tells one, each record brings one, and what the records bring beyond what looks have told
 * came and went between two looks. That was complete, or its being written is nobody's news any more.
 */
import { cString } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { eventBits } from "../event.ts";
import { type Log, quoted } from "../log.ts";
import type { Backend, Want } from "./backend.ts";
import { causeOf } from "./explain.ts";
import { type LeadingName, LeadingNames } from "./leading-names.ts";
import { linksOf, namesTo } from "./path-names.ts";
import { isGone } from "./side-watch.ts";
import type { Mark, Root } from "./tree.ts";
import { nameUpkeep, wantOf } from "./want.ts";
import { WatchedFile } from "./watched-file.ts";

const arrivals = eventBits.create | eventBits.moved_to;
const departures = eventBits.delete | eventBits.moved_from;

const wantNames: Want = {
  events: nameUpkeep,
  children: false,
  directories: false,
  permissions: 0,
  isTop: true,
  isStrict: false,
};

export interface WatchedFilesOptions {
  readonly log: Log;
  /** Look which file is at the path of a root, and watch that: it may be the one that is watched already. */
  readonly look: (root: Root) => "another" | "the same" | "none";
  /** A version came, and another after it, before a look could find it. */
  readonly passed: (file: WatchedFile) => void;
}

export class WatchedFiles {
  readonly #backend: Backend;
  readonly #options: WatchedFilesOptions;
  readonly #files = new Map<Root, WatchedFile>();
  /** Those whose records and looks do not match yet. */
  readonly #uneven = new Set<WatchedFile>();
  /** Paths of which the log says that their names cannot be watched. */
  readonly #cannot = new WeakSet<Root>();

  constructor(backend: Backend, options: WatchedFilesOptions) {
    this.#backend = backend;
    this.#options = options;
  }

  /** Something waits for a moment in which no records are queued. */
  get isUnsettled(): boolean {
    return this.#uneven.size > 0;
  }

  /** A look at a root's file follows: watch the names that lead to it now. */
  follow(root: Root, { isNew }: { readonly isNew: boolean }): WatchedFile {
    const file = this.#files.get(root) ?? new WatchedFile(root, { isNew });
    this.#files.set(root, file);
    const before = file.names;
    const names = namesTo(root.path);
    file.links = linksOf(names);
    file.names = names.flatMap(({ directory, name, link }) => {
      const isLink = link !== null;
      const changed: LeadingName["changed"] = (events) => this.#nameChanged(file, isLink, events);
      return this.#add(root, cString(directory), { name, changed }) ?? [];
    });
    for (const { mark, path, one } of before) this.#remove(mark, path, one);
    return file;
  }

  get(root: Root): WatchedFile | null {
    return this.#files.get(root) ?? null;
  }

  /** It is no file any more, or nobody wants it. */
  forget(root: Root): void {
    const file = this.#files.get(root);
    if (file === undefined) return;
    this.#files.delete(root);
    this.#uneven.delete(file);
    for (const { mark, path, one } of file.names) this.#remove(mark, path, one);
    file.names = [];
  }

  /** @returns null if it cannot be watched: of several versions in a moment only the last is told then */
  #add(root: Root, path: Uint8Array, one: LeadingName): WatchedFile["names"][number] | null {
    try {
      const mark = this.#backend.add(path, true, wantNames);
      (mark.names ??= new LeadingNames()).add(one);
      return { mark, path, one };
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (!isGone(error)) this.#sayCannot(root, error);
      return null;
    }
  }

  #remove(mark: Mark, path: Uint8Array, one: LeadingName): void {
    mark.names?.delete(one);
    if (mark.names?.isEmpty !== true) return;
    mark.names = null;
    try {
      if (mark.nodes.length === 0) this.#backend.remove(mark, path);
      else this.#backend.change(mark, path, wantOf(mark));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error; // gone, and its mark with it
    }
  }

  #sayCannot(root: Root, error: SyscallError): void {
    if (this.#cannot.has(root)) return;
    this.#cannot.add(root);
    this.#options.log.warn(
      `Cannot watch the name of ${quoted(root.path)}: ${causeOf(error, this.#backend.name)}; ` +
        "if it is replaced several times in a moment, only the last is told",
    );
  }

  /** A look has found another file at the path, and tells it. */
  found(file: WatchedFile): void {
    this.#count(file, 1);
  }

  /** A record says that a name on the way to a file was given to another one, or taken from it. */
  #nameChanged(file: WatchedFile, isLink: boolean, events: number): void {
    const { root } = file;
    const at = this.#backend.position;
    const leaves = (events & departures) !== 0;
    const arrives = (events & arrivals) !== 0;
    // One record may say both (fanotify): a version that went again, or one that was away for a moment.
    if (leaves) file.leftAt = at;
    if (!arrives || at <= (file.since ?? at)) return;
    this.#count(file, -1);
    const isNews = at > file.foundAt || root.node === null;
    // Renamed over: the record of the watched file is next, which says that one of its links has gone.
    const isAwaited = !isLink && root.node !== null && file.leftAt <= file.foundAt;
    if (isNews && !isAwaited) this.#look(file, isLink);
    this.#tellPassed(file, isNews && isAwaited ? 1 : 0);
  }

  #look(file: WatchedFile, isLink: boolean): void {
    const { root, links, foundAt } = file;
    if (this.#options.look(root) !== "the same") return;
    const isBack = file.leftAt > foundAt;
    const isSameBehind = isLink && file.links !== links;
    if (isBack || isSameBehind) this.#count(file, 1);
  }

  /** @param awaited so many may still be found by a look */
  #tellPassed(file: WatchedFile, awaited: number): void {
    while (file.ahead < -awaited) {
      this.#count(file, 1);
      this.#options.passed(file);
    }
  }

  #count(file: WatchedFile, by: number): void {
    file.ahead += by;
    if (file.ahead === 0) this.#uneven.delete(file);
    else this.#uneven.add(file);
  }

  /** No record is queued: what a look was ahead of does not come, and what was awaited has happened. */
  settle(): void {
    for (const file of [...this.#uneven]) {
      if (file.ahead < 0) this.#look(file, false);
      this.#tellPassed(file, 0);
      file.ahead = 0;
      this.#uneven.delete(file);
    }
  }

  /** Records are lost: nothing can be counted on. */
  lost(): void {
    for (const file of this.#uneven) file.ahead = 0;
    this.#uneven.clear();
  }
}
