/** The directories that are polled below one root: where each is, and what is known of its entries. */
import { eventBits } from "../event.ts";
import type { Change } from "./poll-found.ts";
import { hasLeft, Snapshot } from "./poll-snapshot.ts";
import { addNode, childrenOf, type Mark, Node, type Root } from "./tree.ts";

/** A root, and how it is looked at. */
export interface PolledRoot extends Root {
  /** Of the shortest among its rules. */
  intervalMs: number;
  /** performance.now() */
  dueAt: number;
  /** performance.now() at the end of the last round. */
  lookedAt: number;
  /** Of a root that no rule wants any more; null: it is wanted. */
  roundsLeft: number | null;
  /** Whether the round under way comes a whole interval after the last: then what is unchanged is quiet. */
  isWholeInterval: boolean;
  /** What is there at the next look came after the start, and is told. */
  isNew: boolean;
  /** What the log says of why it cannot be looked at; empty if it can. */
  trouble: string;
  /** "major:minor" of the filesystem that it is on. */
  device: string;
  /** `mountIn` of what is there. */
  mount: number;
  /** Where that is mounted, or a directory between there and the root. */
  mountPoint: Uint8Array;
  /** The mount on which there was nothing at the path at the last look; 0 if there was something. */
  absentOn: number;
  tree: PolledTree;
  /** By `identityIn`: what was there before something was mounted over it, or unmounted. */
  readonly away: Map<string, PolledTree>;
}

/** What is known of a root on one filesystem. */
export interface PolledTree {
  node: Node | null;
  /** The root itself, as its only entry; empty if nothing is there. */
  readonly own: Snapshot;
  readonly places: PollPlaces;
}

export function emptyTree(): PolledTree {
  return { node: null, own: new Snapshot(), places: new PollPlaces() };
}

/** What is known of a polled directory, or of a polled file, which is its own only entry. */
export interface PollMark extends Mark {
  /** `identityIn`, with its device if that is not the root's. */
  fileKey: string;
  /** "major:minor"; empty if it is the root's, which is another one after each mount. */
  device: string;
  /** `mountIn`, when its name was last looked at. */
  mount: number;
  /** By name: `mountIn` of the entries that something is mounted on; null for the many without. */
  mountPoints: Map<string, number> | null;
  snapshot: Snapshot;
  /** What is found at the first look was there before, and is not told. */
  isBaseline: boolean;
  /** `changeTimeIn` at the last listing; empty before the first. */
  changeTime: string;
  /** performance.now() when that time was first seen. */
  changeTimeSince: number;
  /** The round in which it was last looked into. */
  round: number;
  /** A directory in which nothing could be listed, as the log says. */
  isRefused: boolean;
}

export function markOf(node: Node): PollMark {
  return node.mark as PollMark;
}

export class PollPlaces {
  readonly #byKey = new Map<string, Node>();

  get directories(): number {
    return this.#byKey.size;
  }

  /** Make a place. @param parent null for the root's own */
  add(
    root: Root,
    { parent, name, isDirectory }: { parent: Node | null; name: Uint8Array; isDirectory: boolean },
    {
      fileKey,
      device,
      mount,
      isBaseline,
    }: Pick<PollMark, "fileKey" | "device" | "mount" | "isBaseline">,
  ): Node {
    const mark: PollMark = {
      isDirectory,
      nodes: [],
      names: null,
      mask: 0,
      identity: null,
      fileKey,
      device,
      mount,
      mountPoints: null,
      isBaseline,
      snapshot: new Snapshot(),
      changeTime: "",
      changeTimeSince: 0,
      round: 0,
      isRefused: false,
    };
    const node = new Node(root, mark, { parent, name });
    addNode(mark, node);
    if (parent !== null) node.attach();
    this.#byKey.set(fileKey, node);
    return node;
  }

  find(fileKey: string): Node | null {
    return this.#byKey.get(fileKey) ?? null;
  }

  /** The same directory, which has another inode number now. */
  rename(node: Node, fileKey: string): void {
    const mark = markOf(node);
    if (this.#byKey.get(mark.fileKey) === node) this.#byKey.delete(mark.fileKey);
    mark.fileKey = fileKey;
    this.#byKey.set(fileKey, node);
  }

  /** Give up a place and all below it. */
  drop(node: Node): void {
    for (const child of childrenOf(node)) this.drop(child);
    node.detach();
    const { fileKey } = markOf(node);
    if (this.#byKey.get(fileKey) === node) this.#byKey.delete(fileKey);
  }

  /** Give up a place. @returns the deletion of all that was below it, the deepest first */
  takeBelow(node: Node): Change[] {
    const changes: Change[] = [];
    collect(node, changes);
    this.drop(node);
    return changes;
  }

  /** Of each directory. */
  *snapshots(): Generator<{ readonly node: Node; readonly snapshot: Snapshot }> {
    for (const node of this.#byKey.values()) yield { node, snapshot: markOf(node).snapshot };
  }
}

function collect(node: Node, changes: Change[]): void {
  if (!node.isDirectory) return;
  const { snapshot } = markOf(node);
  for (let index = 0; index < snapshot.count; index++) {
    if ((snapshot.state(index) & hasLeft) !== 0) continue; // it is elsewhere
    const name = snapshot.name(index).slice();
    const isDirectory = snapshot.isDirectory(index);
    const child = isDirectory ? node.latestChild(name) : null;
    if (child !== null) collect(child, changes);
    changes.push({ place: { node, name }, events: eventBits.delete, isDirectory });
  }
}
