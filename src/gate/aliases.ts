/**
 * Other names of a file: it may be opened by way of another mount, or in another mount namespace, where the
 * name that the kernel gives is not the one that a gate knows.
 *
 * Nobody needs privilege for that: unshare(1) makes a mount namespace for whoever asks.
 */
import { cString, latin1Before, utf8 } from "../../ffi/bytes.ts";
import { AT, type Fd, O, openFd } from "../../ffi/fd.ts";
import { RawStatus, STATX_MNT_ID_UNIQUE, statxLayout } from "../../ffi/files.ts";
import { POLLERR, POLLPRI, pollOne } from "../../ffi/poll.ts";
import { bytesOf, type MountInfo, mountsOf, seenFrom } from "./mount-info.ts";

/** A file as it was opened. The path: the first `length` bytes, as the kernel gives them. */
export interface Opened {
  readonly eventFd: number;
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
const nowhere: Names = { given: "none", others: [] };

/** Foreign mounts that are known; beyond that they are looked up anew. */
const foreignMax = 1_000;

/** A mount may be moved: what is known of a foreign one is good for so long. */
const foreignMs = 10_000;

interface Foreign {
  /** Null: it could not be found. */
  readonly mount: MountInfo | null;
  /** performance.now() */
  readonly until: number;
}

const noPath = new Uint8Array(1);

export class Aliases {
  readonly #status = new RawStatus();
  /** Its poll(2) tells of changes. */
  readonly #table: Fd = openFd(cString(utf8("/proc/self/mountinfo")), O.RDONLY);
  readonly #own = new Map<number, MountInfo>();
  /** Those of one filesystem: one, most often. */
  readonly #byDevice = new Map<string, MountInfo[]>();
  readonly #foreign = new Map<string, Foreign>();
  #isCurrent = false;

  constructor() {
    this.#readOwn();
  }

  /** Mounts may have changed between two reads. */
  beginRead(): void {
    this.#isCurrent = false;
  }

  of(opened: Opened): Names {
    this.#lookIfChanged();
    const { mountId, path, length } = opened;
    if (mountId < 0) return onlyItsOwn; // before Linux 5.8
    const own = this.#own.get(mountId);
    const mount = own ?? this.#foreignMount(opened);
    if (mount === null) return nowhere;
    const mounts = this.#byDevice.get(mount.device) ?? [];
    if (own !== undefined && mounts.length === 1) return onlyItsOwn;
    const text = latin1Before(path, length);
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

  /** In the mount namespace of who asks. */
  #foreignMount({ eventFd, pid, mountId }: Opened): MountInfo | null {
    const key = this.#uniqueIdOf(eventFd);
    const known = key === null ? undefined : this.#foreign.get(key);
    const now = performance.now();
    if (known !== undefined && known.until > now) return known.mount;
    const mount = pid === 0 ? null : (mountsOf(pid).find(({ id }) => id === mountId) ?? null);
    if (this.#foreign.size >= foreignMax) this.#foreign.clear();
    if (key !== null) this.#foreign.set(key, { mount, until: now + foreignMs });
    return mount;
  }

  /** Never used again. @returns null before Linux 6.8 */
  #uniqueIdOf(fd: number): string | null {
    const { words } = this.#status;
    const flags = AT.EMPTY_PATH | AT.STATX_DONT_SYNC;
    if (this.#status.readSome(noPath, flags, fd, STATX_MNT_ID_UNIQUE) !== 0) return null;
    if ((words[statxLayout.stx_mask >> 2]! & STATX_MNT_ID_UNIQUE) === 0) return null;
    const at = statxLayout.stx_mnt_id >> 2;
    return `${words[at + 1]!}.${words[at]!}`;
  }
}
