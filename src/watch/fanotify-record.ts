/** What the information records of the fanotify event in hand say: which directory, which name, which target. */
import {
  FAN_EVENT_INFO_TYPE_DFID,
  FAN_EVENT_INFO_TYPE_DFID_NAME,
  FAN_EVENT_INFO_TYPE_FID,
  FAN_EVENT_INFO_TYPE_NEW_DFID_NAME,
  FAN_EVENT_INFO_TYPE_OLD_DFID_NAME,
  FAN_ONDIR,
} from "../../ffi/fanotify/abi.ts";
import { type FanotifyReader, InfoReader } from "../../ffi/fanotify/reader.ts";
import type { FanotifyMark, FilesystemMarks } from "./filesystem-marks.ts";
import type { HandleTable } from "./handle-table.ts";

const dot = 0x2e;

export interface FanotifyRecordOptions {
  /** What the events are read from. */
  readonly buffer: Uint8Array;
  readonly events: FanotifyReader;
  readonly byIdentity: HandleTable<FanotifyMark>;
  readonly filesystems: FilesystemMarks;
}

/** Names stay where they lie in the buffer until one is asked for. */
export class FanotifyRecord {
  readonly #options: FanotifyRecordOptions;
  readonly #info: InfoReader;
  /** That which holds the entry, or is itself meant; of a rename, the new one. Null: it is not watched. */
  directory: FanotifyMark | null = null;
  /** Where the entry's name lies in the buffer. */
  nameStart = 0;
  nameEnd = 0;
  /** Of what the event is about, if it is known and was asked for. */
  target: FanotifyMark | null = null;
  /** Where the target's identity lies; both 0 if the record has none. */
  #targetStart = 0;
  #targetEnd = 0;
  /** Of a rename: the directory that held the entry, and its name there. */
  oldPlace: FanotifyMark | null = null;
  #oldNameStart = 0;
  #oldNameEnd = 0;

  constructor(options: FanotifyRecordOptions) {
    this.#options = options;
    this.#info = new InfoReader(options.events);
  }

  /** A copy, as the next two. */
  get name(): Uint8Array {
    return this.#options.buffer.slice(this.nameStart, this.nameEnd);
  }

  get oldName(): Uint8Array {
    return this.#options.buffer.slice(this.#oldNameStart, this.#oldNameEnd);
  }

  /** The target's handle. */
  get identity(): Uint8Array {
    return this.#options.buffer.slice(this.#targetStart, this.#targetEnd);
  }

  /** It is about the directory itself, and no entry of it. */
  get isSelf(): boolean {
    return this.nameStart === this.nameEnd || this.#nameIsDot();
  }

  /** Of the event in hand. @param wantsFiles a target that is no directory may be watched */
  read(wantsFiles: boolean): void {
    const { events, byIdentity } = this.#options;
    const info = this.#info;
    const { words, infoStart, infoEnd } = events;
    this.directory = null;
    this.target = null;
    this.oldPlace = null;
    this.nameStart = this.nameEnd = 0;
    this.#targetStart = this.#targetEnd = 0;
    const wantsTarget = wantsFiles || (events.mask & FAN_ONDIR) !== 0;
    info.reset(infoStart, infoEnd);
    while (info.next()) {
      const { type, identityStart, identityEnd } = info;
      if (
        type === FAN_EVENT_INFO_TYPE_DFID_NAME ||
        type === FAN_EVENT_INFO_TYPE_DFID ||
        type === FAN_EVENT_INFO_TYPE_NEW_DFID_NAME
      ) {
        this.directory = this.#placed(words, identityStart, identityEnd);
        this.nameStart = info.nameStart;
        this.nameEnd = info.nameEnd;
      } else if (type === FAN_EVENT_INFO_TYPE_OLD_DFID_NAME) {
        this.oldPlace = this.#placed(words, identityStart, identityEnd);
        this.#oldNameStart = info.nameStart;
        this.#oldNameEnd = info.nameEnd;
      } else if (type === FAN_EVENT_INFO_TYPE_FID && wantsTarget) {
        this.target = byIdentity.get(words, identityStart, identityEnd);
        this.#targetStart = identityStart;
        this.#targetEnd = identityEnd;
      }
    }
  }

  /** A directory that is below a root. With a mark on its whole filesystem it may have to be found first. */
  #placed(words: Int32Array, start: number, end: number): FanotifyMark | null {
    const { buffer, byIdentity, filesystems } = this.#options;
    let mark = byIdentity.get(words, start, end);
    if (!filesystems.isEmpty && mark?.foundIn !== filesystems.generation)
      mark = filesystems.find(mark, buffer.slice(start, end));
    return mark === null || isElsewhere(mark) ? null : mark;
  }

  #nameIsDot(): boolean {
    return this.nameEnd - this.nameStart === 1 && this.#options.buffer[this.nameStart] === dot;
  }
}

/** Nothing is wanted of it or of a name in it. */
function isElsewhere({ nodes, names }: FanotifyMark): boolean {
  return nodes.length === 0 && names === null;
}
