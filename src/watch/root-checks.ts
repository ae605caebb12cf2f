/** Whether the path of a root still leads to what is watched; if not, what is there now is watched. */
import { cString } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import type { Backend, GoneReason } from "./backend.ts";
import type { Formers } from "./formers.ts";
import { statusOrNull } from "./own-outputs.ts";
import type { RootMounts } from "./root-mounts.ts";
import type { RootReports } from "./root-reports.ts";
import type { Roots } from "./roots.ts";
import { isGone } from "./side-watch.ts";
import type { Root } from "./tree.ts";
import type { WatchedFiles } from "./watched-files.ts";

/** Who hears of it. */
export interface RootObserver {
  /**
   * Another file is at the path of a root than before.
   *
   * @param isBeingWritten somebody had it open for writing when it was watched already
   */
  rootReplaced(root: Root, isBeingWritten: boolean): void;
  /** Nothing is at the path of a root any more, or nothing that its rules want. */
  rootGone(): void;
  /** Whether what is at the path of a root now is what its rules want to watch. */
  isWanted(root: Root): boolean;
}

export interface RootChecksOptions {
  readonly roots: Roots;
  readonly files: WatchedFiles;
  readonly formers: Formers;
  readonly mounts: RootMounts;
  readonly reports: RootReports;
  readonly observer: RootObserver;
}

export class RootChecks {
  readonly #backend: Pick<Backend, "end" | "position">;
  readonly #roots: Roots;
  readonly #files: WatchedFiles;
  readonly #formers: Formers;
  readonly #mounts: RootMounts;
  readonly #reports: RootReports;
  readonly #observer: RootObserver;
  /** Roots to be looked for when the records have come to there (`Backend.position`). */
  readonly #due = new Map<Root, number>();

  constructor(backend: Pick<Backend, "end" | "position">, options: RootChecksOptions) {
    this.#backend = backend;
    this.#roots = options.roots;
    this.#files = options.files;
    this.#formers = options.formers;
    this.#mounts = options.mounts;
    this.#reports = options.reports;
    this.#observer = options.observer;
  }

  /** Whether the root's path still leads to the watched file. */
  isThere({ path, node }: Root): boolean {
    return node === null || statusOrNull(cString(path))?.inode === node.inode;
  }

  /**
   * A look says that the root's path may lead elsewhere, and no record of its own: what happened to it, and
   * in it, until now may be queued still, its end included, and is read first.
   */
  checkWhenRead(root: Root): void {
    if (this.isThere(root)) return;
    const { end, position } = this.#backend;
    if (end > position) this.#due.set(root, end);
    else this.check(root, "moved");
  }

  /** Whether the root's path still leads to the watched file; if not, watch what is there now. */
  check(root: Root, reason: GoneReason | "mounted"): void {
    if (root.node === null) return;
    const status = statusOrNull(cString(root.path));
    const isThere = status?.inode === root.node.inode;
    if (isThere && reason !== "deleted" && reason !== "unmounted") return;
    if (status === null) this.#reports.sayGone(root, reason);
    // Its name went: if that was the last, its end is the next that the kernel says.
    if (status === null && reason === "changed") return;
    // What a mount shows or hides was there before.
    const isElsewhere = this.#mounts.isElsewhere(root);
    if (isElsewhere && (reason === "mounted" || reason === "moved")) this.#mounts.cover(root);
    if (reason === "changed") {
      this.#formers.awaitEnd(root.node);
      root.node = null;
    } else this.#roots.drop(root);
    if (status === null || !this.#observer.isWanted(root)) return this.#observer.rootGone();
    try {
      const isNew = reason === "deleted" || reason === "moved";
      this.#roots.place(root, isNew && !isElsewhere);
      this.#reports.sayReplaced(root);
      this.tellReplaced(root);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (isGone(error)) {
        this.#reports.sayGone(root, reason); // between the two looks
        return this.#observer.rootGone();
      }
      this.#reports.sayCannot(root, error);
    }
  }

  /** A record says that another file is there: it may be the one that is watched already. */
  lookAtFile(root: Root): "another" | "the same" | "none" {
    const { node } = root;
    if (!this.#observer.isWanted(root)) {
      this.#roots.drop(root);
      this.#observer.rootGone();
      return "none";
    }
    try {
      const found = this.#roots.marks.mark(root);
      if (node !== null && found.mark === node.mark) return "the same";
      if (node !== null) this.#formers.readOut(node);
      this.#roots.put(root, found, { isNew: true });
      if (node !== null) this.#reports.sayReplaced(root);
      this.tellReplaced(root);
      return "another";
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      // Whatever was watched tells its end itself.
      if (!isGone(error)) this.#reports.sayCannot(root, error);
      return "none";
    }
  }

  /** Another file is at the path of a root, or the first. */
  tellReplaced(root: Root): void {
    const { node } = root;
    if (node === null || node.isDirectory) return;
    const file = this.#files.get(root)!;
    this.#files.found(file);
    this.#observer.rootReplaced(root, file.isBeingWritten);
  }

  /** What has been read is told. */
  afterRead(): void {
    const { position } = this.#backend;
    for (const [root, until] of this.#due)
      if (until <= position && this.#due.delete(root)) this.check(root, "moved");
  }
}
