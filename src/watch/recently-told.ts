/** Which files were told lately as come or as complete: not to tell them again after an overflow. */
import { latin1 } from "../../ffi/bytes.ts";
import { eventBits } from "../event.ts";

/** After these a file is there. */
export const came = eventBits.create | eventBits.moved_to;

/** After these it is complete. */
export const ended = eventBits.close_write | eventBits.moved_to;

/** What was told of a name. */
export interface Told {
  /** Of `came` and `ended`. */
  readonly events: number;
  /** Counts up: what became complete later has a higher one. */
  readonly order: number;
}

const smallestBytes = 64 * 1024;
/** Some 200,000 names; beyond that some may be told twice. */
const bytesMax = 8 * 1024 * 1024;

/** Of an entry, before the name: its events, the node's id, the name's length. */
const headBytes = 4 + 4 + 2;

/**
 * Notes are bytes in two buffers, of which the older is given up when nobody can ask for it any more: a
 * note is made for each event, and almost all are never read.
 */
export class RecentlyTold {
  #older = new Notes();
  #newer = new Notes();
  /** When the newer buffer was begun: microseconds since 1970. */
  #begun = 0;
  #index: Map<string, Told> | null = null;
  #indexed = 0;
  #order = 0;

  note(nodeId: number, events: number, name: Uint8Array, start: number, end: number): void {
    this.#newer.add(nodeId, events, name, start, end);
  }

  /** Give up what was told before `needed`, both in microseconds since 1970. */
  forget({ needed, now }: { readonly needed: number; readonly now: number }): void {
    if (this.#index !== null || this.#begun > needed || this.#newer.length === 0) return;
    const older = this.#older;
    this.#older = this.#newer;
    this.#newer = older;
    older.clear();
    this.#begun = now;
  }

  /** Forget nothing from now on, until `close`; names can be asked for. */
  open(): void {
    if (this.#index !== null) return;
    this.#index = new Map();
    this.#readInto(this.#index, this.#older, 0);
    this.#indexed = 0;
  }

  close(): void {
    this.#index = null;
    this.#order = 0;
  }

  /** Higher than that of all that was told until now. Only while it is open. */
  get nextOrder(): number {
    this.#catchUp();
    return this.#order;
  }

  /** Only while it is open. */
  get(nodeId: number, name: Uint8Array): Told | null {
    return this.#catchUp().get(keyOf(nodeId, name)) ?? null;
  }

  #catchUp(): Map<string, Told> {
    const index = this.#index!;
    this.#readInto(index, this.#newer, this.#indexed);
    this.#indexed = this.#newer.length;
    return index;
  }

  #readInto(index: Map<string, Told>, notes: Notes, from: number): void {
    notes.read(from, (key, events) => {
      const before = index.get(key);
      const isEnd = before === undefined || (events & ended) !== 0;
      const order = isEnd ? this.#order++ : before.order;
      index.set(key, { events: (before?.events ?? 0) | events, order });
    });
  }
}

class Notes {
  #bytes = new Uint8Array(smallestBytes);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  clear(): void {
    this.length = 0;
  }

  add(nodeId: number, events: number, name: Uint8Array, start: number, end: number): void {
    const next = this.length + headBytes + (end - start);
    if (next > this.#bytes.length && !this.#grow()) return;
    const bytes = this.#bytes;
    this.#view.setUint32(this.length, events, true);
    this.#view.setUint32(this.length + 4, nodeId, true);
    this.#view.setUint16(this.length + 8, end - start, true);
    // A view on the name would cost more than the name.
    for (let from = start, to = this.length + headBytes; from < end; from++, to++)
      bytes[to] = name[from]!;
    this.length = next;
  }

  #grow(): boolean {
    if (this.#bytes.length * 2 > bytesMax) return false;
    const bytes = new Uint8Array(this.#bytes.length * 2);
    bytes.set(this.#bytes.subarray(0, this.length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    return true;
  }

  read(from: number, visit: (key: string, events: number) => void): void {
    for (let at = from; at < this.length;) {
      const events = this.#view.getUint32(at, true);
      const nodeId = this.#view.getUint32(at + 4, true);
      const end = at + headBytes + this.#view.getUint16(at + 8, true);
      visit(keyOf(nodeId, this.#bytes.subarray(at + headBytes, end)), events);
      at = end;
    }
  }
}

/** A file by where it is. */
export function keyOf(nodeId: number, name: Uint8Array): string {
  return `${nodeId}/${latin1(name)}`;
}
