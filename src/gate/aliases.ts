/**
 * Other names of a file: it may be opened by way of another mount, or in another mount namespace, where the
 * name that the kernel gives is not the one that a gate knows.
 *
 * Nobody needs privilege for that: unshare(1) makes a mount namespace for whoever asks.
 */
import { cString, latin1Before, utf8 } from "../../ffi/bytes.ts";
import { type Fd, O, openFd } from "../../ffi/fd.ts";
import { POLLERR, POLLPRI, pollOne } from "../../ffi/poll.ts";
import type { MountInfo } from "../../ffi/mount-info.ts";
import { bytesOf, isIn, mountOf, mountsOf, seenFrom } from "./mount-info.ts";

/** A file as it was opened. The path: the first `length` bytes, as the kernel gives them. */
export interface Opened {
  /** Who has opened it: it is held, and so is its mount namespace. 0: not known. */
  readonly pid: number;
  readonly path: Uint8Array;
  readonly length: number;
  /** `FileState.mountId` */
  readonly mountId: number;
}

export interface Names {
  /**
   * Whether the name as it was given is one in our own mount namespace, or in another; "none": the file was
   * opened by way of a mount that is in no namespace we could look into (open_tree(2), umount -l).
   */
  readonly given: "ours" | "foreign" | "none";
  /** Its other names in ours. */
  readonly others: readonly Uint8Array[];
}

const onlyItsOwn: Names = { given: "ours", others: [] };
/** Of a file that was opened by no name of ours. */
export const nowhere: Names = { given: "none", others: [] };

export class Aliases {
  /** Its poll(2) tells of changes. */
  readonly #table: Fd = openFd(cString(utf8("/proc/self/mountinfo")), O.RDONLY);
  readonly #own = new Map<number, MountInfo>();
  /** Those of one filesystem: one, most often. */
  readonly #byDevice = new Map<string, MountInfo[]>();
  /** Of this read. */
  readonly #foreign = new Map<string, MountInfo | null>();
  #isCurrent = false;

  constructor() {
    this.#readOwn();
  }

  /** Mounts may have changed between two reads. */
  beginRead(): void {
    this.#isCurrent = false;
    if (this.#foreign.size > 0) this.#foreign.clear();
  }

  /**
   * The name in our own mount namespace of what has that name in the one of who asks: there everybody may give
   * any file any name. Null: it has none. In ours only who may mount there can, and the name stays as it is.
   */
  ownNameOf({ pid, path, length, mountId }: Opened): Uint8Array | null {
    this.#lookIfChanged();
    if (mountId < 0 || this.#own.has(mountId)) return path.slice(0, length);
    return this.of({ pid, path, length, mountId }).others[0] ?? null;
  }

  /** The type of the filesystem, as mount(8) has it; null if that cannot be told. */
  filesystemOf({ pid, mountId }: Pick<Opened, "pid" | "mountId">, device: string): string | null {
    this.#lookIfChanged();
    if (mountId < 0) return this.#byDevice.get(device)?.[0]?.type ?? null;
    return (this.#own.get(mountId) ?? this.#foreignMount(pid, mountId))?.type ?? null;
  }

  of(opened: Opened): Names {
    this.#lookIfChanged();
    const { pid, mountId, path, length } = opened;
    if (mountId < 0) return onlyItsOwn; // before Linux 5.8
    const own = this.#own.get(mountId);
    const mount = own ?? this.#foreignMount(pid, mountId);
    if (mount === null) return nowhere;
    const mounts = this.#byDevice.get(mount.device) ?? [];
    if (own !== undefined && mounts.length === 1) return onlyItsOwn;
    const text = latin1Before(path, length);
    if (!isIn(text, mount)) return nowhere; // it has been moved meanwhile
    const others = mounts.flatMap((one) =>
      one === mount ? [] : (seenFrom(text, mount, one) ?? []),
    );
    return { given: own === undefined ? "foreign" : "ours", others: others.map(bytesOf) };
  }

  #lookIfChanged(): void {
    if (this.#isCurrent) return;
    this.#isCurrent = true;
    if ((pollOne(this.#table.number, POLLPRI, 0) & (POLLPRI | POLLERR)) !== 0) this.#readOwn();
  }

  #readOwn(): void {
    this.#own.clear();
    this.#byDevice.clear();
    for (const mount of mountsOf("self")) {
      this.#own.set(mount.id, mount);
      const others = this.#byDevice.get(mount.device);
      if (others === undefined) this.#byDevice.set(mount.device, [mount]);
      else others.push(mount);
    }
  }

  /** In the mount namespace of who asks. Mounts can be moved there at any time: nothing is kept for long. */
  #foreignMount(pid: number, mountId: number): MountInfo | null {
    if (pid === 0) return null;
    const key = `${pid} ${mountId}`;
    const known = this.#foreign.get(key);
    if (known !== undefined) return known;
    const mount = mountOf(pid, mountId);
    this.#foreign.set(key, mount);
    return mount;
  }
}
