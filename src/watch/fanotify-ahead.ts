/** fanotify records that were read before their turn, to know which directories are to lose their names. */
import { closeDescriptor, readNow } from "../../ffi/fd.ts";
import {
  FAN_DELETE,
  FAN_EVENT_INFO_TYPE_DFID_NAME,
  FAN_EVENT_INFO_TYPE_FID,
  FAN_EVENT_INFO_TYPE_OLD_DFID_NAME,
  FAN_ONDIR,
  FAN_RENAME,
  metadataLayout,
} from "../../ffi/fanotify/abi.ts";
import { FanotifyReader, InfoReader, pidfdOf } from "../../ffi/fanotify/reader.ts";
import { HandleTable, wordsOf } from "./handle-table.ts";

/** A directory's name as long as the record that says so is not delivered. */
export interface DirectoryName {
  /** Identity of the directory that it is in. */
  readonly parent: Uint8Array;
  readonly name: Uint8Array;
}

/** A directory gives up a name, by a rename or because it is deleted. */
interface Leaving extends DirectoryName {
  /** Number of the record. */
  readonly record: number;
}

/** FIONREAD counts the metadata of an event and not what follows it (fanotify_ioctl, Linux 6.18). */
export const queuedBytesPerEvent = metadataLayout.size;

/** Records that one read(2) gave. */
interface Chunk {
  readonly bytes: Uint8Array;
  /** Number of the first record, and how many there are. */
  readonly first: number;
  readonly count: number;
}

/** So many directories may have given up names that nobody has asked for before it is tidied up. */
const leavingsMax = 16_384;

export class FanotifyAhead {
  readonly #readBytes: number;
  /** Almost never needed. */
  #buffer: Uint8Array | null = null;
  readonly #recordsMax: number;
  readonly #chunks: Chunk[] = [];
  /** Records in the chunks. */
  #count = 0;
  /** By the directory that leaves. The first one of each list is the next to come, or past. */
  readonly #leavings = new HandleTable<Leaving[]>();
  /** Records below this number are in `#leavings` if they have to be. */
  #indexedUntil = 0;

  /** @param recordsMax so many are read ahead at most: each may hold a descriptor */
  constructor(readBytes: number, recordsMax: number) {
    this.#readBytes = readBytes;
    this.#recordsMax = recordsMax;
  }

  get queuedBytes(): number {
    return this.#count * queuedBytesPerEvent;
  }

  /** Whether the record of a number was looked at. */
  isIndexed(record: number): boolean {
    return record < this.#indexedUntil;
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /**
   * Read what is queued by now.
   *
   * @param queued records in the kernel's queue
   * @param from number of the first of them
   */
  read(fd: number, queued: number, from: number): void {
    const buffer = (this.#buffer ??= new Uint8Array(this.#readBytes));
    let next = from;
    for (const end = from + queued; next < end && this.#count < this.#recordsMax;) {
      const length = readNow(fd, buffer);
      if (length <= 0) return;
      const bytes = buffer.slice(0, length);
      const count = this.index(bytes, { start: 0, first: next });
      this.#chunks.push({ bytes, first: next, count });
      this.#count += count;
      next += count;
    }
  }

  /**
   * Note what directories leave, in bytes that are read and not delivered.
   *
   * @param first number of the first record there
   * @returns how many records there are
   */
  index(
    bytes: Uint8Array,
    { start, first, end = bytes.length }: { start: number; first: number; end?: number },
  ): number {
    const events = new FanotifyReader(bytes);
    const info = new InfoReader(events);
    events.reset(end, start);
    let record = first;
    for (; events.next(); record++) {
      const isLeaving = (events.mask & (FAN_RENAME | FAN_DELETE)) !== 0;
      if ((events.mask & FAN_ONDIR) !== 0 && isLeaving) this.#note(events, info, record);
    }
    this.#indexedUntil = record;
    return record - first;
  }

  #note(events: FanotifyReader, info: InfoReader, record: number): void {
    let target: Uint8Array | null = null;
    let from: DirectoryName | null = null;
    const { bytes } = events;
    info.reset(events.infoStart, events.infoEnd);
    while (info.next()) {
      const { type, identityStart, identityEnd, nameStart, nameEnd } = info;
      if (type === FAN_EVENT_INFO_TYPE_FID) target = bytes.slice(identityStart, identityEnd);
      else if (type === FAN_EVENT_INFO_TYPE_OLD_DFID_NAME || type === FAN_EVENT_INFO_TYPE_DFID_NAME)
        from = {
          parent: bytes.slice(identityStart, identityEnd),
          name: bytes.slice(nameStart, nameEnd),
        };
    }
    if (target === null || from === null) return;
    const known = this.#leavings.get(wordsOf(target), 0, target.length);
    if (known === null) this.#leavings.set(target, [{ ...from, record }]);
    else known.push({ ...from, record });
  }

  /** The name that a directory has until a record gives it up which comes behind that of a number. */
  nameUntilThen(identity: Uint8Array, record: number): DirectoryName | null {
    const known = this.#leavings.get(wordsOf(identity), 0, identity.length);
    return known?.find((leaving) => leaving.record > record) ?? null;
  }

  /**
   * The records that are next, as many as fit: each look reads what has come since the one before it, often
   * a single record, and what follows from a read must not be done for each.
   *
   * @param room for at least `readBytes`
   * @returns bytes taken, 0 if none were read ahead
   */
  take(room: Uint8Array): number {
    if (this.isEmpty || this.#leavings.size > leavingsMax) this.#indexAnew();
    let taken = 0;
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      if (taken + chunk.bytes.length > room.length) break;
      room.set(chunk.bytes, taken);
      taken += chunk.bytes.length;
      this.#count -= chunk.count;
      this.#chunks.shift();
    }
    return taken;
  }

  /** Much of what was noted is of records that are delivered by now. */
  #indexAnew(): void {
    if (this.#leavings.size > 0) this.#leavings.clear();
    for (const { bytes, first } of this.#chunks) this.index(bytes, { start: 0, first });
  }

  /** The descriptors of those who did it are ours. */
  close(): void {
    for (const { bytes } of this.#chunks) {
      const events = new FanotifyReader(bytes);
      const info = new InfoReader(events);
      events.reset(bytes.length);
      while (events.next()) {
        const pidfd = pidfdOf(events, info);
        if (pidfd >= 0) closeDescriptor(pidfd);
      }
    }
    this.#chunks.length = 0;
  }
}
