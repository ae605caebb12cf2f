/** The path of a polled root: what is there now, and what was mounted over it, lost or replaced. */
import { cString } from "../../ffi/bytes.ts";
import { Errno, errnoText } from "../../ffi/errno.ts";
import { AT } from "../../ffi/fd.ts";
import { RawStatus, S_IFDIR } from "../../ffi/files.ts";
import { eventBits } from "../event.ts";
import { quoted } from "../log.ts";
import type { EntryLook, LookOptions } from "./poll-entry.ts";
import type { PathBuffer } from "./poll-path.ts";
import { emptyTree, markOf, type PolledRoot, type PolledTree } from "./poll-places.ts";
import { deviceIn, identityIn, inodeIn, kindIn, mountIn } from "./poll-snapshot.ts";
import type { Node } from "./tree.ts";

const noName = new Uint8Array(0);
const slash = 0x2f;
/** Trees that are kept while something else is mounted over them. */
const awayMax = 4;

export interface RootLookOptions extends LookOptions {
  readonly entry: EntryLook;
  /** Whether what is at the path of a root now is what its rules want to watch. */
  readonly isWanted: (root: PolledRoot) => boolean;
  /** Nothing is at the path of a root any more, or nothing that its rules want. */
  readonly rootGone: () => void;
}

export class RootLook {
  readonly #options: RootLookOptions;
  readonly #status: RawStatus;
  readonly #path: PathBuffer;
  readonly #entry: EntryLook;
  readonly #other = new RawStatus();

  constructor(options: RootLookOptions) {
    this.#options = options;
    this.#status = options.status;
    this.#path = options.path;
    this.#entry = options.entry;
  }

  /** Symbolic links are followed. @returns a directory that is to be looked into, if there is one */
  look(root: PolledRoot): Node | null {
    const { filesystems } = this.#options;
    this.#path.setPrefix(root.path);
    const errno = this.#status.read(this.#path.directory, AT.STATX_FORCE_SYNC);
    if (isAbsence(errno)) return this.#miss(root);
    if (errno !== 0) return this.#sayTrouble(root, errnoText(errno));
    this.#sayTrouble(root, "");
    const isOnMount = root.mount === mountIn(this.#status);
    const isRetired = root.roundsLeft !== null;
    if (isRetired && (root.node === null || !isOnMount)) return null; // nobody waits for another
    const isSame = isOnMount && this.#isSame(root, false);
    if (!isSame && !isRetired && !this.#options.isWanted(root)) return this.#giveUp(root);
    this.#followMount(root);
    const { inodesChange } = filesystems.at(root.device, root.path);
    const isReplaced = root.node !== null && !this.#isSame(root, inodesChange);
    if (isReplaced && isRetired) return this.#giveUp(root);
    if (isReplaced) this.#replace(root);
    if (root.node === null) this.#place(root);
    const node = root.node!;
    markOf(node).mount = root.mount;
    this.#entry.enter(node);
    this.#entry.compare(root.tree.own, 0, noName);
    return node.isDirectory ? node : null;
  }

  /**
   * Something below a root could not be looked at: if that is the server of the whole, or its disk, it is
   * said once, and nothing more is asked in this round.
   *
   * @returns whether it is
   */
  isAway(root: PolledRoot): boolean {
    const errno = this.#other.read(cString(root.path), AT.STATX_FORCE_SYNC);
    if (errno === 0 || isAbsence(errno)) return false;
    this.#sayTrouble(root, errnoText(errno));
    return true;
  }

  #isSame({ node, tree }: PolledRoot, inodesChange: boolean): boolean {
    return node !== null && tree.own.isSame(0, this.#status, inodesChange);
  }

  #giveUp(root: PolledRoot): null {
    if (root.node !== null) this.#end(root);
    this.#options.rootGone();
    return null;
  }

  #followMount(root: PolledRoot): void {
    const mount = mountIn(this.#status);
    const device = deviceIn(this.#status);
    if (root.mount !== mount) {
      const fileKey = ` ${identityIn(this.#status)}`;
      // Something that is mounted on itself is what it was.
      const isSame =
        root.node !== null && root.device === device && markOf(root.node).fileKey === fileKey;
      if (root.node !== null && !isSame) this.#changeFilesystem(root, mount);
      root.mountPoint = this.#mountPointOf(root.path, mount);
    }
    root.mount = mount;
    root.device = device;
    root.absentOn = 0;
  }

  #place(root: PolledRoot): void {
    const { changes } = this.#options;
    const isDirectory = kindIn(this.#status) === S_IFDIR;
    const fileKey = ` ${identityIn(this.#status)}`;
    const mark = { fileKey, device: "", mount: root.mount, isBaseline: !root.isNew };
    const tree = emptyTree();
    const node = tree.places.add(root, { parent: null, name: root.path, isDirectory }, mark);
    node.inode = inodeIn(this.#status);
    tree.node = node;
    tree.own.add(noName, this.#status);
    root.tree = tree;
    root.node = node;
    if (root.isNew && !isDirectory) {
      this.#entry.enter(node);
      this.#entry.beginLife(tree.own, 0, noName);
      const isEmpty = tree.own.isEmpty(0);
      const events = eventBits.create | (isEmpty ? 0 : eventBits.modify);
      changes.change({ node, name: noName }, events, false);
    }
    root.isNew = false;
  }

  /** Nothing is there. Where something was mounted above, or unmounted, nothing has become of it. */
  #miss(root: PolledRoot): null {
    if (root.node === null) return null;
    const { path, mount } = this.#nearestAbove(root);
    if (mount === root.mount) return this.#lose(root);
    root.absentOn = mount;
    const over = this.#mountPointOf(path, mount);
    const isHidden = over.length >= root.mountPoint.length;
    return this.#sayTrouble(
      root,
      isHidden
        ? `something else is mounted at ${quoted(over)}`
        : `nothing is mounted at ${quoted(root.mountPoint)}`,
    );
  }

  /** The lowest directory above a root that is there. */
  #nearestAbove({ path, mount }: PolledRoot): {
    readonly path: Uint8Array;
    readonly mount: number;
  } {
    for (let at = path; at.length > 1;) {
      at = parentOf(at);
      if (this.#other.read(cString(at), 0) === 0) return { path: at, mount: mountIn(this.#other) };
    }
    return { path, mount };
  }

  /** Its end is told, and its next life is from the beginning. */
  #lose(root: PolledRoot): null {
    this.#options.log.warn(
      `Cannot watch ${quoted(root.path)} any longer: it is no longer there; ` +
        "it is watched again as soon as it is back",
    );
    return this.#giveUp(root);
  }

  #replace(root: PolledRoot): void {
    this.#options.log.info(`${quoted(root.path)} was replaced: watching the new one`);
    this.#end(root);
  }

  #end(root: PolledRoot): void {
    const { changes } = this.#options;
    const node = root.node!;
    for (const { place, events, isDirectory } of root.tree.places.takeBelow(node))
      changes.change(place, events, isDirectory);
    changes.change({ node, name: noName }, eventBits.delete_self, node.isDirectory);
    root.node = null;
    root.tree = emptyTree();
    root.isNew = true;
  }

  /**
   * Something was mounted over the root, or unmounted. What is below was there before, and when the one
   * filesystem is back, only what has changed on it meanwhile is told.
   */
  #changeFilesystem(root: PolledRoot, mount: number): void {
    const { log, filesystems } = this.#options;
    filesystems.forget();
    const fileKey = ` ${identityIn(this.#status)}`;
    root.away.set(markOf(root.node!).fileKey, root.tree);
    for (const oldest of root.away.keys()) if (root.away.size > awayMax) root.away.delete(oldest);
    const back: PolledTree = root.away.get(fileKey) ?? emptyTree();
    root.away.delete(fileKey);
    root.tree = back;
    root.node = back.node;
    root.isNew = mount === root.absentOn; // then it was made since
    const state = back.node === null ? "polling that from now on" : "polling it again";
    log.info(`Another filesystem is at ${quoted(root.path)}: ${state}`);
  }

  /** Once, for as long as it lasts. */
  #sayTrouble(root: PolledRoot, trouble: string): null {
    if (root.trouble === trouble) return null;
    root.trouble = trouble;
    const path = quoted(root.path);
    if (trouble === "") this.#options.log.info(`Polling ${path} again`);
    else
      this.#options.log.warn(
        `Cannot look at ${path}: ${trouble}; what changes there is told when that is over`,
      );
    return null;
  }

  /** The highest directory above a path that is on its mount. */
  #mountPointOf(path: Uint8Array, mount: number): Uint8Array {
    let mountPoint = path;
    for (let at = path; at.length > 1; mountPoint = at) {
      at = parentOf(at);
      if (this.#other.read(cString(at), 0) !== 0 || mountIn(this.#other) !== mount) break;
    }
    return mountPoint;
  }
}

function parentOf(path: Uint8Array): Uint8Array {
  return path.subarray(0, Math.max(1, path.lastIndexOf(slash)));
}

function isAbsence(errno: number): boolean {
  return errno === Errno.ENOENT || errno === Errno.ENOTDIR;
}
