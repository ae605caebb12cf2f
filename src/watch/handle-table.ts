/** From the identity that a fanotify record carries (fsid and file handle) to what is kept for it. */

const initialSlots = 256;
/** FNV-1a over 32-bit words: the handles of one filesystem differ in the low bits of inode and generation. */
const fnvPrime = 0x0100_0193;
const fnvOffset = 0x811c_9dc5 | 0;

interface Entry<Value> {
  readonly hash: number;
  readonly words: Int32Array;
  readonly byteLength: number;
  readonly value: Value;
}

/**
 * A hash table with open addressing whose keys are looked up where they lie, in the read buffer.
 *
 * A look-up makes no object: that is why it is not a Map with a string key.
 */
export class HandleTable<Value> {
  #slots: (Entry<Value> | null)[] = new Array<Entry<Value> | null>(initialSlots).fill(null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @param start and `end` are byte offsets into `words`' buffer view; `start` is a multiple of 4 */
  get(words: Int32Array, start: number, end: number): Value | null {
    const hash = hashOf(words, start, end);
    const slots = this.#slots;
    const last = slots.length - 1;
    for (let slot = hash & last; ; slot = (slot + 1) & last) {
      const entry = slots[slot]!;
      if (entry === null) return null;
      if (entry.hash === hash && isSame(entry, words, start, end)) return entry.value;
    }
  }

  clear(): void {
    this.#slots = new Array<Entry<Value> | null>(initialSlots).fill(null);
    this.#size = 0;
  }

  set(identity: Uint8Array, value: Value): void {
    this.delete(identity);
    if ((this.#size + 1) * 2 > this.#slots.length) this.#resize(this.#slots.length * 2);
    const words = wordsOf(identity);
    const hash = hashOf(words, 0, identity.length);
    insert(this.#slots, { hash, words, byteLength: identity.length, value });
    this.#size++;
  }

  delete(identity: Uint8Array): void {
    const words = wordsOf(identity);
    const hash = hashOf(words, 0, identity.length);
    const last = this.#slots.length - 1;
    for (let slot = hash & last; ; slot = (slot + 1) & last) {
      const entry = this.#slots[slot]!;
      if (entry === null) return;
      if (entry.hash !== hash || !isSame(entry, words, 0, identity.length)) continue;
      this.#slots[slot] = null;
      this.#size--;
      this.#closeGap(slot);
      return;
    }
  }

  /** Entries behind a gap are put in again, so that a search may stop at the first empty slot. */
  #closeGap(gap: number): void {
    const last = this.#slots.length - 1;
    for (let slot = (gap + 1) & last; ; slot = (slot + 1) & last) {
      const entry = this.#slots[slot]!;
      if (entry === null) return;
      this.#slots[slot] = null;
      insert(this.#slots, entry);
    }
  }

  #resize(count: number): void {
    const slots = new Array<Entry<Value> | null>(count).fill(null);
    for (const entry of this.#slots) if (entry !== null) insert(slots, entry);
    this.#slots = slots;
  }
}

function insert<Value>(slots: (Entry<Value> | null)[], entry: Entry<Value>): void {
  const last = slots.length - 1;
  let slot = entry.hash & last;
  while (slots[slot] !== null) slot = (slot + 1) & last;
  slots[slot] = entry;
}

/** A handle's length need not be a multiple of 4; the bytes behind it are not part of the key. */
function lastWord(words: Int32Array, index: number, bytes: number): number {
  return words[index]! & ((1 << (bytes * 8)) - 1);
}

function hashOf(words: Int32Array, start: number, end: number): number {
  let hash = fnvOffset;
  const wholeEnd = start + ((end - start) & ~3);
  let index = start >> 2;
  for (; index < wholeEnd >> 2; index++) hash = Math.imul(hash ^ words[index]!, fnvPrime);
  const rest = end - wholeEnd;
  if (rest > 0) hash = Math.imul(hash ^ lastWord(words, index, rest), fnvPrime);
  return (hash ^ (hash >>> 15)) | 0;
}

function isSame<Value>(
  entry: Entry<Value>,
  words: Int32Array,
  start: number,
  end: number,
): boolean {
  if (entry.byteLength !== end - start) return false;
  const own = entry.words;
  const whole = entry.byteLength >> 2;
  const first = start >> 2;
  for (let i = 0; i < whole; i++) if (own[i] !== words[first + i]) return false;
  const rest = entry.byteLength & 3;
  return rest === 0 || own[whole] === lastWord(words, first + whole, rest);
}

/** Not by way of its `buffer`: a small array gets an ArrayBuffer then, and keeps it. */
export function wordsOf(identity: Uint8Array): Int32Array {
  const words = new Int32Array((identity.length + 3) >> 2);
  for (let i = 0; i < identity.length; i++) words[i >> 2]! |= identity[i]! << ((i & 3) * 8);
  return words;
}
