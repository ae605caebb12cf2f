/**
 * Other names of a file: it may be opened by way of another mount, or in another mount namespace, where the
 * name that the kernel gives is not the one that a gate knows.
 *
 * Nobody needs privilege for that: unshare(1) makes a mount namespace for whoever asks.
 */
import { latin1Before } from "../../ffi/bytes.ts";
import { AT, type Fd, O, openFd } from "../../ffi/fd.ts";
import { RawStatus, STATX_MNT_ID, STATX_MNT_ID_UNIQUE, statxLayout } from "../../ffi/files.ts";
import { POLLERR, POLLPRI, pollOne } from "../../ffi/poll.ts";
import { cString, utf8 } from "../../ffi/bytes.ts";
import { bytesOf, type MountInfo, mountsOf, seenFrom } from "./mount-info.ts";

export interface Names {
  /** Its name as it was given is one in our own mount namespace. */
  readonly isOurs: boolean;
  /** Its other names there. */
  readonly others: readonly Uint8Array[];
}

const onlyItsOwn: Names = { isOurs: true, others: [] };

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
  #own: ReadonlyMap<number, MountInfo> = readOwn();
  /** By mount: the other mounts of its filesystem, most often none. */
  readonly #siblings = new Map<MountInfo, readonly MountInfo[]>();
  readonly #foreign = new Map<string, Foreign>();

  /**
   * @param eventFd of the question
   * @param pid of who asks: it is held, and so is its mount namespace
   * @param path the first `length` bytes, as the kernel gives them
   */
  of(eventFd: number, pid: number, path: Uint8Array, length: number): Names {
    this.#lookIfChanged();
    const id = this.#mountId(eventFd, STATX_MNT_ID);
    if (id === null) return onlyItsOwn; // before Linux 5.8
    const own = this.#own.get(Number(id));
    const mount = own ?? this.#foreignMount(eventFd, pid, Number(id));
    if (mount === null) return { isOurs: false, others: [] };
    const siblings = this.#siblingsOf(mount);
    if (siblings.length === 0)
      return own === undefined ? { isOurs: false, others: [] } : onlyItsOwn;
    const text = latin1Before(path, length);
    const others = siblings.flatMap((one) => seenFrom(text, mount, one) ?? []);
    return { isOurs: own !== undefined, others: others.map(bytesOf) };
  }

  #lookIfChanged(): void {
    if ((pollOne(this.#table.number, POLLPRI, 0) & (POLLPRI | POLLERR)) === 0) return;
    this.#own = readOwn();
    this.#siblings.clear();
  }

  #mountId(fd: number, wanted: number): bigint | null {
    const status = this.#status;
    if (status.readSome(noPath, AT.EMPTY_PATH | AT.STATX_DONT_SYNC, fd, wanted) !== 0) return null;
    const answered = status.words[statxLayout.stx_mask >> 2]!;
    if ((answered & wanted) === 0) return null;
    const at = statxLayout.stx_mnt_id >> 2;
    return BigInt(status.words[at]!) | (BigInt(status.words[at + 1]!) << 32n);
  }

  #siblingsOf(mount: MountInfo): readonly MountInfo[] {
    const known = this.#siblings.get(mount);
    if (known !== undefined) return known;
    const siblings = [...this.#own.values()].filter(
      (one) => one !== mount && one.device === mount.device,
    );
    this.#siblings.set(mount, siblings);
    return siblings;
  }

  /** In the mount namespace of who asks. */
  #foreignMount(eventFd: number, pid: number, id: number): MountInfo | null {
    const unique = this.#mountId(eventFd, STATX_MNT_ID_UNIQUE); // Linux 6.8: never used again
    const key = unique === null ? null : String(unique);
    const known = key === null ? undefined : this.#foreign.get(key);
    const now = performance.now();
    if (known !== undefined && known.until > now) return known.mount;
    const mount = pid === 0 ? null : (mountsOf(pid).find((one) => one.id === id) ?? null);
    if (this.#foreign.size >= foreignMax) this.#foreign.clear();
    if (key !== null) this.#foreign.set(key, { mount, until: now + foreignMs });
    return mount;
  }
}

function readOwn(): ReadonlyMap<number, MountInfo> {
  return new Map(mountsOf("self").map((one) => [one.id, one]));
}
