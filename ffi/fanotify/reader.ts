/** Cursors over the fanotify records that one read(2) put into a buffer. */
import {
  FAN_EVENT_INFO_TYPE_DFID,
  FAN_EVENT_INFO_TYPE_DFID_NAME,
  FAN_EVENT_INFO_TYPE_FID,
  FAN_EVENT_INFO_TYPE_NEW_DFID_NAME,
  FAN_EVENT_INFO_TYPE_OLD_DFID_NAME,
  FAN_EVENT_INFO_TYPE_PIDFD,
  FAN_EVENT_INFO_TYPE_RANGE,
  FAN_NOPIDFD,
  FANOTIFY_METADATA_VERSION,
  infoFidLayout,
  infoHeaderLayout,
  infoPidfdLayout,
  infoRangeLayout,
  metadataLayout as layout,
} from "./abi.ts";

/** Stands on one event at a time; `InfoReader` then goes through its information records. */
export class FanotifyReader {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  #next = 0;
  #end = 0;

  /** Event bits, unsigned; bits that are not known here are kept. */
  mask = 0;
  /** -1 in a group that reports handles. */
  fd = -1;
  /** Who did it; 0 if the listener is unprivileged. */
  pid = 0;
  /** Where the event's information records begin and end in `bytes`. */
  infoStart = 0;
  infoEnd = 0;

  /** @param bytes the read buffer; its offset and length are multiples of 4 */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  }

  /** Start on a new read. @param length how many bytes read(2) gave */
  reset(length: number, start = 0): void {
    this.#next = start;
    this.#end = length;
  }

  /** Where the next event starts. */
  get nextStart(): number {
    return this.#next;
  }

  /** How many events are left. */
  get remaining(): number {
    let count = 0;
    for (let at = this.#next; at < this.#end; count++) at += Math.max(this.words[at >> 2]!, 1);
    return count;
  }

  /** Go to the next event. @returns false at the end. @throws {RangeError} on bytes that cannot be */
  next(): boolean {
    const at = this.#next;
    if (at === this.#end) return false;
    if (at + layout.size > this.#end) throw impossible("event", at, layout.size, this.#end);
    const word = at >> 2;
    const eventLen = this.words[word]!;
    const versionWord = this.words[word + 1]!;
    const metadataLen = versionWord >>> 16;
    if ((versionWord & 0xff) !== FANOTIFY_METADATA_VERSION) {
      throw new RangeError(
        `fanotify metadata version is ${versionWord & 0xff}, not ${FANOTIFY_METADATA_VERSION}`,
      );
    }
    const fits =
      metadataLen >= layout.size && eventLen >= metadataLen && at + eventLen <= this.#end;
    const aligned = ((eventLen | metadataLen) & 3) === 0;
    if (!fits || !aligned) throw impossible("event", at, eventLen, this.#end);
    this.mask = this.words[word + (layout.mask >> 2)]! >>> 0;
    this.fd = this.words[word + (layout.fd >> 2)]!;
    this.pid = this.words[word + (layout.pid >> 2)]!;
    this.infoStart = at + metadataLen;
    this.infoEnd = at + eventLen;
    this.#next = this.infoEnd;
    return true;
  }
}

/** Goes through the information records of one event; types it does not know are stepped over by the caller. */
export class InfoReader {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  #next = 0;
  #end = 0;

  type = 0;
  /** Where the whole record lies, its header included. */
  start = 0;
  end = 0;
  /** For records with a handle: fsid and file_handle (`fileIdentity`'s form) lie here. */
  identityStart = 0;
  identityEnd = 0;
  /** For records with a name: its bytes without the NUL. */
  nameStart = 0;
  nameEnd = 0;
  /** For the record with a pidfd: a descriptor, which is ours, or FAN_NOPIDFD or FAN_EPIDFD. */
  pidfd: number = FAN_NOPIDFD;
  /** For the record with a range of the file, in bytes: as near as a double has it. */
  offset = 0;
  count = 0;

  constructor(events: FanotifyReader) {
    this.#bytes = events.bytes;
    this.#words = events.words;
  }

  reset(start: number, end: number): void {
    this.#next = start;
    this.#end = end;
  }

  /** Go to the next record. @returns false at the end. @throws {RangeError} on bytes that cannot be */
  next(): boolean {
    const at = this.#next;
    if (at === this.#end) return false;
    if (at + infoHeaderLayout.size > this.#end) throw impossible("info record", at, 4, this.#end);
    const header = this.#words[at >> 2]!;
    const len = header >>> 16;
    const fits = len >= infoHeaderLayout.size && at + len <= this.#end;
    if (!fits || (len & 3) !== 0) throw impossible("info record", at, len, this.#end);
    this.type = header & 0xff;
    this.start = at;
    this.end = at + len;
    this.#next = this.end;
    if (hasHandle(this.type)) this.#readHandle(at);
    else if (this.type === FAN_EVENT_INFO_TYPE_PIDFD) this.#readPidfd(at, len);
    else if (this.type === FAN_EVENT_INFO_TYPE_RANGE) this.#readRange(at, len);
    return true;
  }

  #readRange(at: number, len: number): void {
    if (len < infoRangeLayout.size) throw impossible("range", at, len, this.end);
    this.offset = this.#unsigned(at + infoRangeLayout.offset);
    this.count = this.#unsigned(at + infoRangeLayout.count);
  }

  #unsigned(at: number): number {
    const low = this.#words[at >> 2]! >>> 0;
    return low + (this.#words[(at >> 2) + 1]! >>> 0) * 0x1_0000_0000;
  }

  #readPidfd(at: number, len: number): void {
    if (len < infoPidfdLayout.size) throw impossible("pidfd", at, len, this.end);
    this.pidfd = this.#words[(at + infoPidfdLayout.pidfd) >> 2]!;
  }

  #readHandle(at: number): void {
    if (at + infoFidLayout.f_handle > this.end) throw impossible("file handle", at, 20, this.end);
    const handleBytes = this.#words[(at + infoFidLayout.handle_bytes) >> 2]!;
    const handleEnd = at + infoFidLayout.f_handle + handleBytes;
    if (handleBytes < 0 || handleEnd > this.end)
      throw impossible("file handle", at, handleBytes, this.end);
    this.identityStart = at + infoFidLayout.fsid;
    this.identityEnd = handleEnd;
    this.nameStart = handleEnd;
    let end = handleEnd;
    if (hasName(this.type)) while (end < this.end && this.#bytes[end] !== 0) end++;
    this.nameEnd = end;
  }
}

/** The descriptor that the event in hand brings of who did it; FAN_NOPIDFD if it has none. */
export function pidfdOf(event: FanotifyReader, info: InfoReader): number {
  info.reset(event.infoStart, event.infoEnd);
  while (info.next()) if (info.type === FAN_EVENT_INFO_TYPE_PIDFD) return info.pidfd;
  return FAN_NOPIDFD;
}

/** Which part of the file the event in hand is about, in bytes; null if it does not say. */
export function rangeOf(
  event: FanotifyReader,
  info: InfoReader,
): { readonly offset: number; readonly count: number } | null {
  info.reset(event.infoStart, event.infoEnd);
  while (info.next()) {
    const { type, offset, count } = info;
    if (type === FAN_EVENT_INFO_TYPE_RANGE) return { offset, count };
  }
  return null;
}

function hasName(type: number): boolean {
  return (
    type === FAN_EVENT_INFO_TYPE_DFID_NAME ||
    type === FAN_EVENT_INFO_TYPE_OLD_DFID_NAME ||
    type === FAN_EVENT_INFO_TYPE_NEW_DFID_NAME
  );
}

function hasHandle(type: number): boolean {
  return hasName(type) || type === FAN_EVENT_INFO_TYPE_FID || type === FAN_EVENT_INFO_TYPE_DFID;
}

function impossible(what: string, at: number, length: number, end: number): RangeError {
  return new RangeError(
    `fanotify ${what} at byte ${at} says it is ${length} bytes long, but the bytes end at ${end}`,
  );
}
