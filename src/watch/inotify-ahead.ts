/** inotify records that were read before their turn, to know which names directories give up. */
import { latin1 } from "../../ffi/bytes.ts";
import { readNow } from "../../ffi/fd.ts";
import { IN_DELETE, IN_ISDIR, IN_MOVED_FROM, IN_MOVED_TO } from "../../ffi/inotify/abi.ts";
import { InotifyReader } from "../../ffi/inotify/reader.ts";

/** A directory leaves a name; or another takes it, which replaces an empty one. */
const givesUpName = IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;

type IsNothing = (wd: number, mask: number) => boolean;

export class InotifyAhead {
  readonly #buffer: Uint8Array;
  readonly #records: InotifyReader;
  readonly #chunks: Uint8Array[] = [];
  /** By "wd/name": up to which position records are queued by which a directory leaves the name. */
  readonly #leaving = new Map<string, number>();
  byteLength = 0;

  constructor(readBytes: number) {
    this.#buffer = new Uint8Array(readBytes);
    this.#records = new InotifyReader(this.#buffer);
  }

  /**
   * @param position of the first byte that is read
   * @param isNothing of records that need not be kept, if nothing else is: a look that leaves such a
   *   record behind would else never see the end of the queue; null if all are kept
   * @returns bytes read, 0 if nothing is queued
   */
  readFrom(fd: number, position: number, isNothing: IsNothing | null): number {
    const length = readNow(fd, this.#buffer);
    if (length <= 0) return 0;
    const records = this.#records;
    records.reset(length);
    let hasSomething = isNothing === null || this.byteLength > 0;
    while (records.next()) {
      const { mask, wd, nameStart, nameEnd } = records;
      hasSomething ||= !isNothing!(wd, mask);
      if ((mask & IN_ISDIR) === 0 || (mask & givesUpName) === 0) continue;
      const name = latin1(this.#buffer.subarray(nameStart, nameEnd));
      this.#leaving.set(`${wd}/${name}`, position + records.end);
    }
    if (!hasSomething) return length;
    this.#chunks.push(this.#buffer.slice(0, length));
    this.byteLength += length;
    return length;
  }

  /** Whether a record behind `position` says that a directory leaves `name`. */
  isLeft(wd: number, name: Uint8Array, position: number): boolean {
    if (this.#leaving.size === 0) return false;
    return (this.#leaving.get(`${wd}/${latin1(name)}`) ?? 0) > position;
  }

  /**
   * Whole records, as many as fit: each look reads what has come since the one before it, often a single
   * record, and what follows from a read must not be done for each.
   *
   * @returns bytes taken
   */
  take(room: Uint8Array): number {
    let taken = 0;
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const left = room.subarray(taken);
      const length = chunk.length <= left.length ? chunk.length : wholeRecords(chunk, left.length);
      left.set(chunk.subarray(0, length));
      taken += length;
      if (length < chunk.length) {
        this.#chunks[0] = chunk.subarray(length);
        break;
      }
      this.#chunks.shift();
    }
    this.byteLength -= taken;
    if (this.byteLength === 0) this.#leaving.clear();
    return taken;
  }
}

/** Bytes of the records that end within `limit`. */
function wholeRecords(chunk: Uint8Array, limit: number): number {
  const records = new InotifyReader(chunk);
  records.reset(chunk.length);
  let end = 0;
  while (records.next() && records.end <= limit) ({ end } = records);
  return end;
}
