/** Delivers fanotify's events: which places each is about, and what of it every one of them hears. */
import { entryEvents, eventBits, selfEvents } from "../event.ts";
import {
  FAN_CREATE,
  FAN_DELETE,
  FAN_DELETE_SELF,
  FAN_MOVED_FROM,
  FAN_MOVED_TO,
  FAN_ONDIR,
  FAN_Q_OVERFLOW,
  FAN_RENAME,
} from "../../ffi/fanotify/abi.ts";
import type { FanotifyReader } from "../../ffi/fanotify/reader.ts";
import { viewAskers, viewRenamed } from "../rule/view.ts";
import type { Backend, EventSink, Side } from "./backend.ts";
import { FanotifyRecord } from "./fanotify-record.ts";
import type { FanotifyMark, FilesystemMarks } from "./filesystem-marks.ts";
import { type GroupMarks, sharedBits } from "./group-marks.ts";
import type { HandleTable } from "./handle-table.ts";
import { isNamed, type LeadingNames } from "./leading-names.ts";
import type { RecordCount } from "./record-count.ts";
import { asksForRename, renamePlaces } from "./rename-places.ts";
import type { Mark, Node } from "./tree.ts";

/** Those that are about an inode, whatever happens to its names: one record may have both. */
const inodeBits = sharedBits & ~entryEvents;

/** Moves of directories are told by FAN_RENAME. */
const directoryChanges = FAN_CREATE | FAN_DELETE;

export interface FanotifyDeliveryOptions {
  readonly backend: Backend;
  /** What this process does is not reported. */
  readonly ownPid: number;
  readonly buffer: Uint8Array;
  readonly events: FanotifyReader;
  readonly marks: GroupMarks;
  readonly byIdentity: HandleTable<FanotifyMark>;
  readonly filesystems: FilesystemMarks;
  readonly count: RecordCount;
  /** Another backend's records tell what happens to the directories in this one. */
  readonly isNamedElsewhere: (parent: Node) => boolean;
}

export class FanotifyDelivery {
  readonly #backend: Backend;
  readonly #ownPid: number;
  readonly #buffer: Uint8Array;
  readonly #events: FanotifyReader;
  readonly #marks: GroupMarks;
  readonly #isNamedElsewhere: (parent: Node) => boolean;
  readonly #record: FanotifyRecord;
  readonly #count: RecordCount;

  constructor(options: FanotifyDeliveryOptions) {
    this.#backend = options.backend;
    this.#ownPid = options.ownPid;
    this.#buffer = options.buffer;
    this.#events = options.events;
    this.#marks = options.marks;
    this.#isNamedElsewhere = options.isNamedElsewhere;
    this.#record = new FanotifyRecord(options);
    this.#count = options.count;
  }

  /** The event in hand. */
  deliver(sink: EventSink): void {
    const { mask, pid } = this.#events;
    if ((mask & FAN_Q_OVERFLOW) !== 0) return this.#overflow(sink);
    if (pid === this.#ownPid) {
      // The end of what somebody deleted while we had it open is ours, and nothing else is.
      if ((mask & FAN_DELETE_SELF) === 0) return;
      this.#events.mask &= FAN_DELETE_SELF | FAN_ONDIR;
    }
    this.#record.read(this.#marks.hasFiles);
    if ((mask & FAN_RENAME) !== 0) return this.#deliverRename(sink);
    const { directory, target } = this.#record;
    if (directory !== null) {
      if (directory.names !== null) this.#tellNames(directory.names, mask);
      if (this.#record.isSelf) this.#deliverDirectorySelf(sink, directory);
      else this.#deliverEntry(sink, directory);
    } else if (target !== null && (mask & inodeBits) !== 0) this.#deliverTo(sink, target.nodes);
  }

  #overflow(sink: EventSink): void {
    this.#count.overflows++;
    sink.overflow(this.#backend);
  }

  #tellNames(names: LeadingNames, mask: number): void {
    if ((mask & entryEvents) === 0 || (mask & FAN_ONDIR) !== 0) return;
    const { nameStart: start, nameEnd: end } = this.#record;
    for (const name of names.like(this.#buffer, start, end))
      if (isNamed(name, this.#buffer, start, end)) name.changed(mask & entryEvents);
  }

  /** An entry of a watched directory; if it is a watched file as well, this is one record for both. */
  #deliverEntry(sink: EventSink, directory: FanotifyMark): void {
    const { mask } = this.#events;
    const { target } = this.#record;
    const alsoFile = target !== null && !target.isDirectory && (mask & inodeBits) !== 0;
    const several = alsoFile || directory.nodes.length !== 1;
    if (!several) return this.#deliverChild(sink, directory.nodes[0]!);
    sink.beginGroup();
    for (const node of [...directory.nodes]) this.#deliverChild(sink, node);
    if (alsoFile) this.#deliverTo(sink, target.nodes);
    sink.endGroup();
  }

  #deliverChild(sink: EventSink, node: Node): void {
    const { mask, pid } = this.#events;
    const isDirectory = (mask & FAN_ONDIR) !== 0;
    const events = mask & sharedBits;
    // FAN_RENAME tells the same move, and may come before or after: the kernel merges this record with
    // what the process did to the name before. Rules that ask for `rename` hear of it from that.
    const isTold = (mask & (FAN_MOVED_FROM | FAN_MOVED_TO)) !== 0 && asksForRename(node);
    const { nameStart: start, nameEnd: end } = this.#record;
    sink.child(node, events, isDirectory, this.#buffer, start, end, pid, isTold ? viewRenamed : 0);
    if (isDirectory && (mask & directoryChanges) !== 0) {
      const { name, target, identity } = this.#record;
      sink.directoryEntry(node, {
        events: events & entryEvents,
        name,
        key: null,
        target,
        identity,
      });
    }
  }

  /** A directory that is watched, or is in one that is: its own places, and its name in the parents. */
  #deliverDirectorySelf(sink: EventSink, directory: FanotifyMark): void {
    const { mask, pid } = this.#events;
    const events = mask & sharedBits;
    // Below a recursive root the rules hear of a directory as an entry of its parent, as with inotify.
    const told = events & ~selfEvents;
    sink.beginGroup();
    for (const node of [...directory.nodes]) {
      const { parent, name } = node;
      if (parent === null) sink.self(node, events, true, pid);
      else if (told !== 0 && !this.#isNamedElsewhere(parent))
        sink.child(parent, told, true, name, 0, name.length, pid, 0);
    }
    sink.endGroup();
    if ((mask & FAN_DELETE_SELF) !== 0) this.#lose(sink, directory);
  }

  #deliverTo(sink: EventSink, nodes: readonly Node[]): void {
    const { mask, pid } = this.#events;
    const isDirectory = (mask & FAN_ONDIR) !== 0;
    for (const node of [...nodes]) sink.self(node, mask & inodeBits, isDirectory, pid);
    if ((mask & FAN_DELETE_SELF) !== 0 && nodes.length > 0) {
      this.#lose(sink, nodes[0]!.mark as FanotifyMark);
    }
  }

  /** With one side out of sight, the rules that ask for `rename` get the side that is seen. */
  #deliverRename(sink: EventSink): void {
    const { mask, pid } = this.#events;
    const isDirectory = (mask & FAN_ONDIR) !== 0;
    const record = this.#record;
    const from = sideOf(record.oldPlace, record.oldName);
    const to = sideOf(record.directory, record.name);
    sink.beginGroup();
    if (from !== null && to !== null) {
      for (const places of renamePlaces(from, to)) sink.renamed({ ...places, isDirectory, pid });
    } else {
      const { nodes, name } = from ?? to ?? nowhere;
      const events = from !== null ? eventBits.moved_from : eventBits.moved_to;
      for (const node of nodes)
        sink.child(node, events, isDirectory, name, 0, name.length, pid, viewAskers);
    }
    sink.endGroup();
    if (!isDirectory) return;
    const { target, identity } = record;
    sink.directoryMoved({ from, to, target, identity });
  }

  #lose(sink: EventSink, mark: FanotifyMark): void {
    if (this.#marks.lose(mark)) sink.markGone(mark, "deleted");
  }
}

const nowhere: Side = { nodes: [], name: new Uint8Array(0) };

function sideOf(mark: Mark | null, name: Uint8Array): Side | null {
  return mark === null ? null : { nodes: [...mark.nodes], name };
}
