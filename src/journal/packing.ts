/** Entries of the journal become buffers of triggers again. */
import { TriggerCursor } from "../reader/trigger.ts";
import type { StoredEntry } from "./store.ts";

/** A buffer has this and one trigger at most. */
const bufferBytes = 256 * 1024;

export interface PackedTriggers {
  readonly buffer: ArrayBuffer;
  readonly count: number;
}

/**
 * Buffers as a TriggerWriter makes them, in the order of the entries; tickets are filled in.
 *
 * @param indexOf of the rules; entries of others are left out
 */
export function* packed(
  entries: Iterable<StoredEntry>,
  indexOf: ReadonlyMap<string, number>,
): Iterable<PackedTriggers> {
  let some: StoredEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (!indexOf.has(entry.rule)) continue;
    some.push(entry);
    bytes += entry.trigger.length;
    if (bytes < bufferBytes) continue;
    yield pack(some, bytes, indexOf);
    some = [];
    bytes = 0;
  }
  if (some.length > 0) yield pack(some, bytes, indexOf);
}

function pack(
  entries: readonly StoredEntry[],
  length: number,
  indexOf: ReadonlyMap<string, number>,
): PackedTriggers {
  const bytes = new Uint8Array(length);
  let end = 0;
  for (const { trigger } of entries) {
    bytes.set(trigger, end);
    end += trigger.length;
  }
  const cursor = new TriggerCursor(bytes.buffer);
  for (const { id, rule } of entries) {
    cursor.next();
    cursor.rule = indexOf.get(rule)!;
    cursor.ticket = id;
  }
  return { buffer: bytes.buffer, count: entries.length };
}

/** The triggers that are not to be skipped, in a buffer of their own. */
export function withoutSkipped(buffer: ArrayBuffer, skipped: readonly boolean[]): ArrayBuffer {
  const bytes = new Uint8Array(buffer.byteLength);
  const cursor = new TriggerCursor(buffer);
  let end = 0;
  for (const isSkipped of skipped) {
    cursor.next();
    if (isSkipped) continue;
    bytes.set(cursor.bytes, end);
    end += cursor.bytes.length;
  }
  return bytes.buffer.slice(0, end);
}

/** Take the tickets back: they were not written. @returns how many triggers there are */
export function withoutTickets(buffer: ArrayBuffer): number {
  const cursor = new TriggerCursor(buffer);
  let count = 0;
  for (; cursor.next(); count++) cursor.ticket = 0;
  return count;
}
