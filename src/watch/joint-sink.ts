/** Where the queues of a joint backend meet: what a record says there is told as in the rest of the tree. */
import { eventBits, selfEvents } from "../event.ts";
import type {
  Backend,
  DirectoryEntry,
  DirectoryMove,
  EventSink,
  GoneReason,
  Rename,
} from "./backend.ts";
import type { Mark, Node } from "./tree.ts";

const moves = eventBits.moved_from | eventBits.moved_to;

/** Passes on what one queue delivers. */
export class JointSink implements EventSink {
  readonly #queue: Backend;
  readonly #queueOf: (mark: Mark) => Backend;
  readonly #isMixed: () => boolean;
  #sink!: EventSink;

  /** @param isMixed the queues are of several kinds */
  constructor(queue: Backend, queueOf: (mark: Mark) => Backend, isMixed: () => boolean) {
    this.#queue = queue;
    this.#queueOf = queueOf;
    this.#isMixed = isMixed;
  }

  to(sink: EventSink): this {
    this.#sink = sink;
    return this;
  }

  /**
   * Rules hear of a directory below a root as an entry of the one that it is in. inotify says that by a
   * record of the upper directory, which here is not inotify's.
   */
  self(node: Node, events: number, isDirectory: boolean, pid: number): void {
    const { parent, name } = node;
    const told = events & ~selfEvents;
    const isAlone = parent !== null && this.#queueOf(parent.mark) !== this.#queue;
    if (!isAlone) this.#sink.self(node, events, isDirectory, pid);
    else if (told !== 0) this.#sink.child(parent, told, isDirectory, name, 0, name.length, pid, 0);
  }

  child(...record: Parameters<EventSink["child"]>): void {
    this.#sink.child(...record);
  }

  renamed(rename: Rename): void {
    this.#sink.renamed(rename);
  }

  beginGroup(): void {
    this.#sink.beginGroup();
  }

  endGroup(): void {
    this.#sink.endGroup();
  }

  /** The other half of a move may be another queue's, and name the directory otherwise. */
  directoryEntry(node: Node, entry: DirectoryEntry): void {
    const isUnsure = (entry.events & moves) !== 0 && this.#isMixed();
    this.#sink.directoryEntry(node, { ...entry, isUnsure });
  }

  /** Only one side of it is this queue's, and the directory is another's: a subvolume. */
  directoryMoved(move: DirectoryMove): void {
    const { from, to, target } = move;
    const isWhole = from !== null && to !== null;
    const isUnsure =
      this.#isMixed() || (!isWhole && target !== null && this.#queueOf(target) !== this.#queue);
    this.#sink.directoryMoved({ ...move, isUnsure });
  }

  markGone(mark: Mark, reason: GoneReason): void {
    this.#sink.markGone(mark, reason);
  }

  overflow(backend: Backend): void {
    this.#sink.overflow(backend);
  }
}
