/** What the kernel is asked to hold for gates, inode by inode: beside the marks that tell of changes. */
import { Errno, SyscallError } from "../../ffi/errno.ts";
import {
  FAN_ACCESS_PERM,
  FAN_EVENT_ON_CHILD,
  FAN_ONDIR,
  FAN_OPEN_EXEC_PERM,
  FAN_OPEN_PERM,
  FAN_PRE_ACCESS,
} from "../../ffi/fanotify/abi.ts";
import {
  type PermissionObject,
  permissionMarkAdd,
  permissionMarkCall,
  permissionMarkRemove,
  permissionMarksFlush,
} from "../../ffi/fanotify/permission.ts";
import { fileStatus } from "../../ffi/files.ts";
import { type Gate, gateBits } from "../rule/gate.ts";
import { HandleOpener } from "./handle-opener.ts";
import { OpenPath } from "./open-path.ts";
import { refuseRemote } from "./remote-filesystems.ts";
import type { Mark } from "./tree.ts";

/** Of the kernel, for a gate. What is no directory has no use for the two flags. */
export function permissionMask({
  events,
  children,
  directories,
}: Pick<Gate, "events" | "children" | "directories">): number {
  return (
    ((events & gateBits.open_perm) !== 0 ? FAN_OPEN_PERM : 0) |
    ((events & gateBits.access_perm) !== 0 ? FAN_ACCESS_PERM : 0) |
    ((events & gateBits.open_exec_perm) !== 0 ? FAN_OPEN_EXEC_PERM : 0) |
    ((events & gateBits.pre_access) !== 0 ? FAN_PRE_ACCESS : 0) |
    (children ? FAN_EVENT_ON_CHILD : 0) |
    (directories ? FAN_ONDIR : 0)
  );
}

/** In a directory, whatever has a name: of what the kernel holds for a gate there. */
export function withChildren(mask: number): number {
  return mask | FAN_EVENT_ON_CHILD;
}

const flags = FAN_EVENT_ON_CHILD | FAN_ONDIR;

/** A mark of the tree, as far as the group's mark on its inode is its doing. */
interface Asked {
  /** `FileStatus.inode` */
  readonly inode: string;
  readonly mask: number;
}

/** The kernel does not tell before a file is read: neither is the rest of the gate in force, nor in danger. */
export type PreAccessRefused = (path: Uint8Array, error: SyscallError) => void;

/**
 * The group's marks may be more than is wanted, as whoever answers judges by the path; they may never be
 * less. So a mark is asked for again whenever a directory is placed, known or not: it may have gone with a
 * mount. And it is only taken from the inode that it was put on.
 */
export class PermissionMarks {
  readonly #onPreAccessRefused: PreAccessRefused;
  readonly #handles = new HandleOpener();
  readonly #asked = new Map<Mark, Asked>();
  /** Marks of several queues may be on one inode: almost always it is one. */
  readonly #marksAt = new Map<string, readonly Mark[]>();
  #group = -1;

  constructor(onPreAccessRefused: PreAccessRefused) {
    this.#onPreAccessRefused = onPreAccessRefused;
  }

  /** Inodes. */
  get count(): number {
    return this.#marksAt.size;
  }

  /** -1: there is none. */
  get group(): number {
    return this.#group;
  }

  /** Another group has no marks yet: they come as their places are looked at. @param group -1: none */
  use(group: number): void {
    if (group === this.#group) return;
    if (group < 0)
      for (const object of ["inode", "mount", "filesystem"] as const)
        permissionMarksFlush(this.#group, object);
    this.#group = group;
    this.#asked.clear();
    this.#marksAt.clear();
  }

  /** Hold this too. @throws {SyscallError} as `permissionMarkAdd` */
  add(mark: Mark, path: Uint8Array, wanted: number): void {
    const mask = forKind(wanted, mark);
    if (mask === 0 || this.#group < 0) return;
    const before = this.#asked.get(mark)?.mask ?? 0;
    const { inode } = fileStatus(path);
    this.#set(mark, { path, inode, mask: mask | before, before });
  }

  /** Hold exactly this from now on. @throws {SyscallError} as `permissionMarkAdd` */
  change(mark: Mark, path: Uint8Array, wanted: number): void {
    const mask = forKind(wanted, mark);
    const asked = this.#asked.get(mark);
    const before = asked?.mask ?? 0;
    if (mask === before || this.#group < 0) return;
    using there = OpenPath.follow(path);
    const { inode } = fileStatus(there.path);
    if (asked !== undefined && asked.inode !== inode) return;
    this.#set(mark, { path: there.path, inode, mask, before });
  }

  /** Hold nothing there any more. */
  remove(mark: Mark, path: Uint8Array): void {
    const asked = this.#asked.get(mark);
    if (asked === undefined) return;
    this.forget(mark);
    const surplus = asked.mask & ~this.#askedByOthers(asked.inode, mark);
    if ((surplus & ~flags) === 0) return;
    try {
      using there = this.#hold(mark, asked.inode, path);
      if (there !== null) this.#take("inode", there.path, surplus);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error; // the inode went, and its mark with it
    }
  }

  /** The inode is gone, and the kernel's mark with it. */
  forget(mark: Mark): void {
    const asked = this.#asked.get(mark);
    if (asked === undefined) return;
    this.#asked.delete(mark);
    const left = this.#marksAt.get(asked.inode)?.filter((one) => one !== mark) ?? [];
    if (left.length === 0) this.#marksAt.delete(asked.inode);
    else this.#marksAt.set(asked.inode, left);
  }

  #set(
    mark: Mark,
    {
      path,
      inode,
      mask,
      before,
    }: { path: Uint8Array; inode: string; mask: number; before: number },
  ): void {
    const others = this.#askedByOthers(inode, mark);
    this.put("inode", path, { before: before | others, after: mask | others });
    if (mask === 0) return this.forget(mark);
    this.#asked.set(mark, { inode, mask });
    const marks = this.#marksAt.get(inode);
    if (marks?.includes(mark) !== true) this.#marksAt.set(inode, [...(marks ?? []), mark]);
  }

  /**
   * Put one mask in the place of another.
   *
   * @throws {SyscallError} as `permissionMarkAdd`, but not if it is only FAN_PRE_ACCESS that cannot be had;
   *   as `refuseRemote`
   */
  put(
    object: PermissionObject,
    path: Uint8Array,
    { before, after: wanted }: { readonly before: number; readonly after: number },
  ): void {
    if (this.#group < 0) return;
    if (wanted !== 0) refuseRemote(path);
    const after = this.#withoutConflict(path, wanted);
    const [common, preAccess] = parted(after);
    const surplus = before & ~after;
    const inTheWay = surplus & (FAN_ONDIR | FAN_PRE_ACCESS);
    if (inTheWay !== 0) this.#take(object, path, inTheWay);
    if ((common & ~flags) !== 0) permissionMarkAdd(this.#group, object, path, common);
    if (preAccess !== 0) this.#addPreAccess(object, path, preAccess);
    if ((surplus & ~inTheWay) !== 0) this.#take(object, path, surplus & ~inTheWay);
  }

  /** One mark cannot have both, not even for a moment; what is opened counts more than what is read. */
  #withoutConflict(path: Uint8Array, mask: number): number {
    if ((mask & FAN_ONDIR) === 0 || (mask & FAN_PRE_ACCESS) === 0) return mask;
    this.#onPreAccessRefused(path, new SyscallError(permissionMarkCall, Errno.EEXIST));
    return mask & ~FAN_PRE_ACCESS;
  }

  #addPreAccess(object: PermissionObject, path: Uint8Array, mask: number): void {
    try {
      permissionMarkAdd(this.#group, object, path, mask);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#onPreAccessRefused(path, error);
    }
  }

  /** @param mask with bits that are not there, perhaps: the kernel minds neither */
  #take(object: PermissionObject, path: Uint8Array, mask: number): void {
    for (const part of parted(mask)) {
      try {
        if (part !== 0) permissionMarkRemove(this.#group, object, path, part);
      } catch (error) {
        if (!(error instanceof SyscallError) || error.errno !== Errno.ENOENT) throw error; // none was there
      }
    }
  }

  #askedByOthers(inode: string, mark: Mark): number {
    const marks = this.#marksAt.get(inode);
    if (marks === undefined) return 0;
    return marks.reduce((mask, one) => {
      return one === mark ? mask : mask | (this.#asked.get(one)?.mask ?? 0);
    }, 0);
  }

  /** What a mark is on, wherever it is by now; null if it is gone or cannot be found. */
  #hold(mark: Mark, inode: string, path: Uint8Array): OpenPath | null {
    const { identity, isDirectory } = mark;
    if (identity !== null) return this.#handles.hold({ identity, isDirectory }, path);
    const there = OpenPath.follow(path);
    if (fileStatus(there.path).inode === inode) return there;
    there[Symbol.dispose]();
    return null;
  }
}

/** The kernel takes FAN_PRE_ACCESS and FAN_ONDIR neither in one call nor in one mark. */
function parted(mask: number): readonly [common: number, preAccess: number] {
  const hasPreAccess = (mask & FAN_PRE_ACCESS) !== 0;
  return [mask & ~FAN_PRE_ACCESS, hasPreAccess ? mask & (FAN_PRE_ACCESS | FAN_EVENT_ON_CHILD) : 0];
}

function forKind(mask: number, { isDirectory }: Mark): number {
  const fitting = isDirectory ? mask : mask & ~flags;
  return (fitting & ~flags) === 0 ? 0 : fitting;
}
