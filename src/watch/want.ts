/** What the kernel is asked at a place: what the rules want, and what facron needs to keep its tree true. */
import { eventBits, selfEvents } from "../event.ts";
import type { Interests } from "../rule/matcher.ts";
import type { Want } from "./backend.ts";
import { type Mark, type Node, pathBelow, type Root } from "./tree.ts";

const nothing: Want = {
  events: 0,
  children: false,
  directories: false,
  permissions: 0,
  isTop: false,
  isStrict: false,
};

/** What tells of directories' names. inotify makes a rename of its two halves. */
const comeAndGo = eventBits.create | eventBits.delete;
const upkeep = comeAndGo | eventBits.rename;
const halves = eventBits.moved_from | eventBits.moved_to;

/** What tells of the names that lead to watched files. Departures keep inotify from merging arrivals. */
export const nameUpkeep = comeAndGo | halves;

/** A watched path that is deleted or replaced must not leave a dead watch behind without a word. */
const rootUpkeep = eventBits.delete_self | eventBits.move_self;

/** An inode's events that a directory inside a watched directory can have. */
const directoryEvents =
  eventBits.access | eventBits.attrib | eventBits.close_nowrite | eventBits.open;

/** After these there may be something else in a file of that name. */
export const contentChanges = comeAndGo | halves | eventBits.close_write;

/** What it depends on besides the root. */
export interface PlaceKind {
  readonly isTop: boolean;
  readonly isHidden: boolean;
  readonly isDirectory: boolean;
  /** One of facron's own outputs is in it, whose name another file may get. */
  readonly holdsOwnOutput: boolean;
  /** A directory in it is closed to us, and may be opened. Absent: none is. */
  readonly holdsClosed?: boolean;
}

/** What is asked for a place of this root. */
export function wantAt(root: Root, kind: PlaceKind): Want {
  const { isTop, isHidden, isDirectory, holdsOwnOutput, holdsClosed = false } = kind;
  const below = isHidden ? root.belowHidden : root.below;
  const interests = isTop ? root.top : below;
  const { isStrict } = root;
  if (interests === null || (!isTop && marksFilesystem(root)))
    return { ...nothing, isTop, isStrict };
  const want = isDirectory ? directoryWant(root, interests) : fileWant(interests);
  const events =
    want.events |
    (isTop ? rootUpkeep : 0) |
    // A file that is replaced by rename while somebody has it open: its link count changes at once,
    // delete_self comes only with the last close.
    (isTop && !isDirectory ? eventBits.attrib : 0) |
    (holdsOwnOutput ? eventBits.create : 0) |
    (holdsClosed ? eventBits.attrib : 0);
  const children = want.children || holdsClosed;
  const directories = want.directories || isTop;
  const { permissions } = interests;
  return { events, children, directories, permissions, isTop, isStrict };
}

function directoryWant(root: Root, interests: Interests): Want {
  const tracks = follows(root);
  const readsIgnoreFiles = root.below !== null && root.below.ignoreNames !== null;
  const events =
    interests.kernelEvents |
    (tracks ? upkeep : 0) |
    (root.noticesNames ? eventBits.moved_to : 0) |
    (readsIgnoreFiles ? contentChanges : 0);
  return {
    ...nothing,
    events,
    children: interests.children || readsIgnoreFiles,
    directories: interests.directories || tracks,
  };
}

function fileWant({ kernelEvents, children, directories }: Interests): Want {
  return { ...nothing, events: kernelEvents, children, directories };
}

/** Whether the directories below a root have no marks, but report by the one on their filesystem. */
export function marksFilesystem({ scope, below }: Root): boolean {
  return scope === "filesystem" && below !== null;
}

/** What is asked of every directory on a filesystem, for these roots. */
export function filesystemWant(roots: readonly Root[]): Want {
  let want = nothing;
  for (const root of roots)
    for (const interests of [root.below, root.belowHidden])
      if (interests !== null) want = union(want, directoryWant(root, interests));
  // Below a root nobody hears of them, and all files of the filesystem would tell of their deletion.
  return { ...want, events: want.events & ~selfEvents };
}

function union(a: Want, b: Want): Want {
  return {
    events: a.events | b.events,
    children: a.children || b.children,
    directories: a.directories || b.directories,
    permissions: (a.permissions | b.permissions) >>> 0,
    isTop: a.isTop || b.isTop,
    isStrict: a.isStrict || b.isStrict,
  };
}

/**
 * Whether sub-directories have to be known by their handles, because rules hear of their being opened,
 * read or changed and the backend's records do not name them.
 */
function needsHandles(root: Root): boolean {
  if (root.namesSubdirectories) return false;
  const { events, children, directories } = root.top;
  return children && directories && (events & directoryEvents) !== 0;
}

/** Whether the directories below a root are in the tree: watched, or known by their handles. */
export function follows(root: Root): boolean {
  return root.below !== null || needsHandles(root);
}

/** Whether nothing is wanted of a directory called so that is in the tree or would come into it. */
export function isLeftOut(parent: Node, name: Uint8Array): boolean {
  const { root } = parent;
  if (root.below === null) return false;
  const isHidden = name[0] === dot || parent.isHidden;
  if (isHidden && root.belowHidden === null && !needsHandles(root)) return true;
  const wants = needsHandles(root) ? [root.top, root.below] : [root.below];
  return wants.every((one) => one.excludesAllIn(parent.prefix, pathBelow(root), name));
}

/** The same as long as the rules exclude the same directories. */
export function exclusionsOf({ top, below }: Root): string {
  return `${top.exclusions} ${below?.exclusions}`;
}

const dot = 0x2e;

/** The union over all places of an inode. */
export function wantOf(mark: Mark): Want {
  return mark.nodes.reduce(
    (want, node) =>
      union(
        want,
        wantAt(node.root, {
          isTop: node.parent === null,
          isHidden: node.isHidden,
          isDirectory: node.isDirectory,
          holdsOwnOutput: node.ownOutputs !== null,
          holdsClosed: node.closed !== null,
        }),
      ),
    mark.names === null ? nothing : { ...nothing, events: nameUpkeep },
  );
}
