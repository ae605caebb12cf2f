/** What a backend delivers goes from here to the tree, which it changes, and to the rules, which hear of it. */
import { bytesEqual } from "../../ffi/bytes.ts";
import { eventBits, selfEvents, type SyntheticReason } from "../event.ts";
import type { FamilySource } from "../family/families.ts";
import type { JsonLines } from "../output/json-lines.ts";
import type { RuleSet } from "../rule/rule-set.ts";
import { viewDirectory, viewSelf } from "../rule/view.ts";
import type {
  DirectoryEntry,
  DirectoryMove,
  EventSink,
  GoneReason,
  Place,
  Rename,
} from "../watch/backend.ts";
import type { RealDisk } from "../watch/disk.ts";
import { came, ended } from "../watch/recently-told.ts";
import { isOwnOutput, type Mark, type Node, noNodes, type Root } from "../watch/tree.ts";
import { contentChanges } from "../watch/want.ts";
import type { WatchTable } from "../watch/watch-table.ts";
import { type ActorSource, noRecord } from "./actors.ts";
import { Meeting } from "./meeting.ts";
import type { TriggerWriter } from "./trigger.ts";

const noName = new Uint8Array(0);

/** Events after which a name may stand for another file than before. */
const namings = eventBits.moved_to | eventBits.create;

export interface DispatchHooks {
  /** The buffer of lines is large: write it now. */
  linesAreMany(): void;
  /** The kernel said that records are lost. */
  overflow(table: WatchTable): void;
  /** Other directories may be left out than before. */
  ignoreFileChanged(root: Root, table: WatchTable): void;
  /** A record came through about an entry in a new directory, or, without a name, about a place itself. */
  entrySeen(node: Node, events: number, name: Uint8Array, start: number, end: number): void;
}

export interface DispatchOptions extends DispatchHooks {
  readonly disk: RealDisk;
  /** Who did the records. */
  readonly actors: ActorSource;
  /** Which commands of ours did them. */
  readonly families: FamilySource;
}

export class Dispatch implements EventSink {
  readonly #hooks: DispatchHooks;
  readonly #disk: RealDisk;
  readonly #actors: ActorSource;
  readonly #families: FamilySource;
  readonly #meeting: Meeting;
  /** The table that the records come from. */
  #table: WatchTable | null = null;
  /** Records are only followed, and not told: another backend tells them. */
  isMuted = false;
  /** Directories whose entries `entrySeen` wants to hear of; almost always none. */
  watchedEntries = 0;

  constructor(
    lines: JsonLines,
    triggers: TriggerWriter,
    { disk, actors, families, ...hooks }: DispatchOptions,
  ) {
    const linesAreMany = () => hooks.linesAreMany();
    this.#disk = disk;
    this.#actors = actors;
    this.#families = families;
    this.#hooks = hooks;
    this.#meeting = new Meeting({ lines, triggers, disk, actors, families, linesAreMany });
  }

  /** From now on records meet these rules. */
  setRules(rules: RuleSet): void {
    this.#meeting.setRules(rules);
  }

  /** Read once from a table's backend. @returns bytes read */
  read(table: WatchTable): number {
    this.#table = table;
    this.#disk.moment++;
    this.#families.beginRead();
    const length = table.backend.read(this);
    table.afterRead();
    return length;
  }

  /** What `look` tells comes from looks and not from records. */
  duringLooks(look: () => void): void {
    const table = this.#table;
    this.#table = null;
    this.#disk.moment++;
    this.#meeting.reason = "poll";
    this.#actors.during(noRecord, look);
    this.#meeting.reason = null;
    this.#table = table; // records that were held back may come before the next read
  }

  self(node: Node, events: number, isDirectory: boolean, pid: number): void {
    const interests = node.interests;
    if (interests === null) return;
    if (!this.isMuted) {
      if (this.watchedEntries > 0) this.#hooks.entrySeen(node, events, noName, 0, 0);
      const told = node.standing === "replaced" ? events & eventBits.delete_self : events;
      const kind = told | viewSelf | (isDirectory ? viewDirectory : 0);
      this.#meeting.record(interests, kind, node, node.self, noName, 0, 0, pid, null);
    }
    if (node !== node.root.node) return;
    // A look is ahead of the records that are still queued: none where the kernel will say more.
    if ((events & selfEvents) !== 0) this.#table!.checks.check(node.root, "moved");
    else if ((events & eventBits.attrib) !== 0 && !node.isDirectory)
      this.#table!.checks.check(node.root, "changed");
  }

  child(
    node: Node,
    events: number,
    isDirectory: boolean,
    name: Uint8Array,
    start: number,
    end: number,
    pid: number,
    view: number,
  ): void {
    const interests = node.interests;
    if (interests === null) return;
    const table = this.#table!;
    const { ignoreNames } = interests;
    if (ignoreNames !== null && (events & contentChanges) !== 0) {
      const changed = name.subarray(start, end);
      if (ignoreNames.some((one) => bytesEqual(one, changed)))
        this.#hooks.ignoreFileChanged(node.root, table);
    }
    if (table.mayHoldBack && !this.isMuted) {
      const tell = () => {
        const copy = name.slice(start, end);
        return () => this.child(node, events, isDirectory, copy, 0, copy.length, pid, view);
      };
      if (this.#holdBack(node, tell)) return;
    }
    if (node.closed !== null && (events & eventBits.attrib) !== 0)
      table.noticeAccess(node, name.subarray(start, end));
    if ((events & namings) !== 0) table.noticeName(node, events, name, start, end);
    if (node.ownOutputs !== null && isOwnOutput(node, name, start, end)) return;
    if ((events & (came | ended)) !== 0) table.told.note(node.id, events, name, start, end);
    if (this.isMuted) return;
    if (this.watchedEntries > 0) this.#hooks.entrySeen(node, events, name, start, end);
    const kind = events | view | (isDirectory ? viewDirectory : 0);
    this.#meeting.record(interests, kind, node, node.prefix, name, start, end, pid, null);
  }

  /**
   * An event that no record said.
   *
   * @param events may have `viewRenamed`
   * @param interests who hears of it; absent: all that are there
   * @param heardAt other watched paths by which the same is told: who hears of it there does not again
   */
  synthetic(
    place: Place,
    events: number,
    isDirectory: boolean,
    reason: SyntheticReason,
    interests = place.node.interests,
    heardAt = noNodes,
  ): void {
    const { node, name } = place;
    if (interests === null) return;
    this.#disk.moment++;
    const isSelf = name.length === 0;
    const kind = events | (isSelf ? viewSelf : 0) | (isDirectory ? viewDirectory : 0);
    const prefix = isSelf ? node.self : node.prefix;
    const { length } = name;
    // The record in hand, by which this is told, may be of another process.
    this.#actors.during(noRecord, () => {
      const left =
        heardAt.length === 0 ? interests : this.#meeting.unheard(interests, kind, name, heardAt);
      if (left !== null) this.#meeting.record(left, kind, node, prefix, name, 0, length, 0, reason);
    });
  }

  renamed(rename: Rename): void {
    if (this.isMuted) return;
    const again = () => () => this.renamed(rename);
    if (this.#table?.mayHoldBack === true && this.#holdBack(rename.to.node, again)) return;
    this.#meeting.rename(rename);
  }

  beginGroup(): void {
    this.#meeting.beginGroup();
  }

  /** Places that are one path become one line with all their rules. */
  endGroup(): void {
    this.#meeting.endGroup();
  }

  directoryEntry(node: Node, entry: DirectoryEntry): void {
    this.#table!.directoryEntry(node, entry);
  }

  directoryMoved(move: DirectoryMove): void {
    this.#table!.directoryMoved(move);
  }

  markGone(mark: Mark, reason: GoneReason): void {
    this.#table!.markGone(mark, reason);
  }

  overflow(): void {
    if (this.#table!.serves === "rules") this.#meeting.loss();
    this.#hooks.overflow(this.#table!);
  }

  /** Told later, a record is still of whoever did it. @returns whether the place is on its way */
  #holdBack(node: Node, tell: () => () => void): boolean {
    const table = this.#table!;
    return table.holdBack(node, () => {
      const { kept } = this.#actors;
      const told = tell();
      return () => {
        this.#table = table;
        this.#actors.during(kept, told);
      };
    });
  }
}
