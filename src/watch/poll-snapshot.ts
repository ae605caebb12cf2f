/** What a look knows of the entries of one directory: columns of numbers, and the names in one piece. */
import { latin1 } from "../../ffi/bytes.ts";
import {
  type RawStatus,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  statxLayout,
  STATX_BTIME,
  STATX_MNT_ID,
  STATX_MNT_ID_UNIQUE,
} from "../../ffi/files.ts";

/**
 * The words of an entry, 56 bytes. Of times the low half of the seconds is kept: they are compared for
 * being the same, and never ordered.
 */
const ino = 0;
const size = 2;
const mtime = 4;
const ctime = 6;
const mode = 8;
const uid = 9;
const gid = 10;
const btime = 11;
const state = 13;
const wordsEach = 14;

/** Bits of an entry's state; its lowest byte counts looks without a change. */
export const quietLooks = 0xff;
/** Something was written, and close_write is not told yet. */
export const isOpenEnded = 0x100;
/** It was renamed to here, and that is told together with its close_write. */
export const hasArrived = 0x200;
/** It is known to be elsewhere by now, and that is told already. */
export const hasLeft = 0x400;
/** It was found by the round under way. */
export const isFresh = 0x800;

/** `RawStatus.words`: where struct statx has what is kept. */
const at = {
  mask: statxLayout.stx_mask >> 2,
  uid: statxLayout.stx_uid >> 2,
  gid: statxLayout.stx_gid >> 2,
  mode: statxLayout.stx_mode >> 2,
  ino: statxLayout.stx_ino >> 2,
  size: statxLayout.stx_size >> 2,
  btime: statxLayout.stx_btime >> 2,
  ctime: statxLayout.stx_ctime >> 2,
  mtime: statxLayout.stx_mtime >> 2,
  device: statxLayout.stx_dev_major >> 2,
  mount: statxLayout.stx_mnt_id >> 2,
} as const;

/** Behind the low half of the seconds in struct statx_timestamp. */
const nanoseconds = 2;

/** statx(2)'s kind of the file that was looked at. */
export function kindIn({ words }: RawStatus): number {
  return words[at.mode]! & S_IFMT;
}

/** Names of the file that was looked at. */
export function linksIn({ words }: RawStatus): number {
  return words[statxLayout.stx_nlink >> 2]!;
}

/** "major:minor" */
export function deviceIn({ words }: RawStatus): string {
  return `${words[at.device]}:${words[at.device + 1]}`;
}

/**
 * By which mount the file that was looked at is reached. Before Linux 6.8 one that is unmounted and mounted
 * again may have the number it had; before 5.8 it is the filesystem, so bind mounts of it look the same.
 */
export function mountIn({ words }: RawStatus): number {
  const isTold = (words[at.mask]! & (STATX_MNT_ID | STATX_MNT_ID_UNIQUE)) !== 0;
  const start = isTold ? at.mount : at.device;
  return words[start]! + words[start + 1]! * 0x1_0000_0000;
}

/** As `FileStatus.inode`. */
export function inodeIn(status: RawStatus): string {
  const inode = (BigInt(status.words[at.ino + 1]!) << 32n) | BigInt(status.words[at.ino]!);
  return `${deviceIn(status)}:${inode}`;
}

/** A file or directory among those of its device: an inode number alone is soon used again. */
export function identityIn(status: RawStatus): string {
  const { words } = status;
  const born = hasBirth(status) ? `${words[at.btime]}.${words[at.btime + nanoseconds]}` : "";
  return `${words[at.ino + 1]}.${words[at.ino]}:${born}`;
}

/** The time of the last change of what is in a directory. */
export function changeTimeIn({ words }: RawStatus): string {
  const times = [at.mtime, at.ctime].map((time) => `${words[time]}.${words[time + nanoseconds]}`);
  return times.join(" ");
}

function hasBirth({ words }: RawStatus): boolean {
  return (words[at.mask]! & STATX_BTIME) !== 0;
}

/** How the file at a name differs from what was there at the last look. */
export interface Difference {
  /** What is in it. */
  content: boolean;
  /** Owner, mode and such, without the content. */
  attributes: boolean;
}

const scratch: Difference = { content: false, attributes: false };

export class Snapshot {
  count = 0;
  #names = new Uint8Array(0);
  #ends = new Uint32Array(0);
  #words = new Uint32Array(0);
  #indexByName: Map<string, number> | null = null;

  /** Bytes of memory for names and numbers. */
  get bytes(): number {
    return this.#names.byteLength + this.#ends.byteLength + this.#words.byteLength;
  }

  /** Take up an entry. @returns its index */
  add(name: Uint8Array, status: RawStatus): number {
    const index = this.#take(name);
    this.store(index, status);
    return index;
  }

  /** Take up an entry as another snapshot has it. @returns its index */
  copy(from: Snapshot, index: number): number {
    const own = this.#take(from.name(index));
    const start = index * wordsEach;
    this.#words.set(from.#words.subarray(start, start + wordsEach), own * wordsEach);
    return own;
  }

  #take(name: Uint8Array): number {
    const index = this.count++;
    const start = index === 0 ? 0 : this.#ends[index - 1]!;
    const end = start + name.length;
    if (end > this.#names.length) this.#names = grown(this.#names, end * 2);
    if (index >= this.#ends.length) {
      this.#ends = grown(this.#ends, index * 2 + 8);
      this.#words = grown(this.#words, (index * 2 + 8) * wordsEach);
    }
    this.#names.set(name, start);
    this.#ends[index] = end;
    return index;
  }

  /** Nothing is added any more: give back what was reserved. */
  trim(): void {
    this.#names = this.#names.slice(0, this.count === 0 ? 0 : this.#ends[this.count - 1]);
    this.#ends = this.#ends.slice(0, this.count);
    this.#words = this.#words.slice(0, this.count * wordsEach);
    this.#indexByName = null;
  }

  /** Valid until the next change of the snapshot. */
  name(index: number): Uint8Array {
    const start = index === 0 ? 0 : this.#ends[index - 1]!;
    return this.#names.subarray(start, this.#ends[index]);
  }

  /** @param hint where it probably is. @returns -1 if there is none */
  find(name: Uint8Array, hint: number): number {
    if (hint < this.count && this.#isNamed(hint, name)) return hint;
    this.#indexByName ??= this.#indexed();
    return this.#indexByName.get(latin1(name)) ?? -1;
  }

  #isNamed(index: number, name: Uint8Array): boolean {
    const start = index === 0 ? 0 : this.#ends[index - 1]!;
    if (this.#ends[index]! - start !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (this.#names[start + i] !== name[i]) return false;
    return true;
  }

  #indexed(): Map<string, number> {
    const indices = new Map<string, number>();
    for (let index = 0; index < this.count; index++) indices.set(latin1(this.name(index)), index);
    return indices;
  }

  /** The map by names is for a directory that changes; it is much larger than the rest. */
  forgetIndex(): void {
    this.#indexByName = null;
  }

  store(index: number, status: RawStatus): void {
    const own = this.#words;
    const { words } = status;
    const start = index * wordsEach;
    own[start + ino] = words[at.ino]!;
    own[start + ino + 1] = words[at.ino + 1]!;
    own[start + size] = words[at.size]!;
    own[start + size + 1] = words[at.size + 1]!;
    own[start + mtime] = words[at.mtime]!;
    own[start + mtime + 1] = words[at.mtime + nanoseconds]!;
    own[start + ctime] = words[at.ctime]!;
    own[start + ctime + 1] = words[at.ctime + nanoseconds]!;
    own[start + mode] = words[at.mode]! & 0xffff;
    own[start + uid] = words[at.uid]!;
    own[start + gid] = words[at.gid]!;
    const isBorn = hasBirth(status);
    own[start + btime] = isBorn ? words[at.btime]! : 0;
    own[start + btime + 1] = isBorn ? words[at.btime + nanoseconds]! : 0;
  }

  /**
   * Whether it is the file that was there at the last look.
   *
   * @param inodesChange the filesystem may give a file another inode number, as FUSE does when the kernel
   *   has forgotten the old one: what has the same name and looks the same is then the same, and so is
   *   any directory
   */
  isSame(index: number, status: RawStatus, inodesChange: boolean): boolean {
    const own = this.#words;
    const { words } = status;
    const start = index * wordsEach;
    if (((own[start + mode]! ^ words[at.mode]!) & S_IFMT) !== 0) return false;
    if (own[start + ino] !== words[at.ino] || own[start + ino + 1] !== words[at.ino + 1])
      return inodesChange && (this.isDirectory(index) || this.#looksLike(index, status));
    if (!hasBirth(status) || !this.#isBorn(index)) return true;
    return (
      own[start + btime] === words[at.btime] &&
      own[start + btime + 1] === words[at.btime + nanoseconds]
    );
  }

  #looksLike(index: number, status: RawStatus): boolean {
    this.compare(index, status, scratch);
    return !scratch.content && !scratch.attributes;
  }

  #isBorn(index: number): boolean {
    const start = index * wordsEach;
    return (this.#words[start + btime]! | this.#words[start + btime + 1]!) !== 0;
  }

  /** @param into is filled: one object serves all entries */
  compare(index: number, status: RawStatus, into: Difference): void {
    const own = this.#words;
    const { words } = status;
    const start = index * wordsEach;
    into.content =
      own[start + size] !== words[at.size] ||
      own[start + size + 1] !== words[at.size + 1] ||
      own[start + mtime] !== words[at.mtime] ||
      own[start + mtime + 1] !== words[at.mtime + nanoseconds];
    const isChanged =
      own[start + ctime] !== words[at.ctime] ||
      own[start + ctime + 1] !== words[at.ctime + nanoseconds];
    const isOther =
      own[start + mode] !== (words[at.mode]! & 0xffff) ||
      own[start + uid] !== words[at.uid] ||
      own[start + gid] !== words[at.gid];
    into.attributes = isOther || (isChanged && !into.content);
  }

  /** Whether two entries of one file have the same content, as far as one can see. */
  hasContentOf(index: number, other: Snapshot, otherIndex: number): boolean {
    for (let word = size; word < ctime; word++)
      if (this.#words[index * wordsEach + word] !== other.#words[otherIndex * wordsEach + word])
        return false;
    return true;
  }

  kind(index: number): number {
    return this.#words[index * wordsEach + mode]! & S_IFMT;
  }

  isDirectory(index: number): boolean {
    return this.kind(index) === S_IFDIR;
  }

  isFile(index: number): boolean {
    return this.kind(index) === S_IFREG;
  }

  isEmpty(index: number): boolean {
    const start = index * wordsEach + size;
    return (this.#words[start]! | this.#words[start + 1]!) === 0;
  }

  /** Low half of the inode number: the same file has the same, others may too. */
  inode(index: number): number {
    return this.#words[index * wordsEach + ino]!;
  }

  /** No filesystem with fine times has both at a full second, but by chance: it may count in steps of two. */
  hasCoarseTimes(index: number): boolean {
    const start = index * wordsEach;
    return this.#words[start + mtime + 1] === 0 && this.#words[start + ctime + 1] === 0;
  }

  state(index: number): number {
    return this.#words[index * wordsEach + state]!;
  }

  /** How many entries are waited for to be complete. */
  get openEnded(): number {
    let count = 0;
    for (let index = 0; index < this.count; index++)
      if ((this.state(index) & isOpenEnded) !== 0) count++;
    return count;
  }

  setState(index: number, value: number): void {
    this.#words[index * wordsEach + state] = value;
  }

  /**
   * By what a file is known again under another name: its inode and its birth. Where there is no time of
   * birth an inode number may be that of a new file, which then has other times or another size.
   */
  key(index: number): string {
    const own = this.#words;
    const start = index * wordsEach;
    const inode = `${this.kind(index)} ${own[start + ino + 1]}.${own[start + ino]}`;
    if (this.#isBorn(index)) return `${inode} ${own[start + btime]}.${own[start + btime + 1]}`;
    if (this.isDirectory(index)) return inode;
    return `${inode} ${own.subarray(start + size, start + ctime).join(".")}`;
  }
}

function grown<Column extends Uint8Array | Uint32Array>(column: Column, length: number): Column {
  const larger = new (column.constructor as new (length: number) => Column)(length);
  larger.set(column);
  return larger;
}
