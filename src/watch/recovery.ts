/**
 * After the kernel's queue was full, or facron was not there: which files have changed meanwhile, as far as a look can tell.
 *
 * Records are missing of a stretch of time. It began after the last moment of which everything is read
 * (`LossClock`), so what has no later time of change did not change. All others are looked at while the
 * tree is compared with the disk, and are told unless a record tells of them.
 */
import { cString } from "../../ffi/bytes.ts";
import { nowMicroseconds } from "../../ffi/clock.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { DT_DIR, fileStatus, type FileStatus, S_IFDIR, S_IFREG } from "../../ffi/files.ts";
import { isBeingWritten } from "../../ffi/lease.ts";
import { eventBits } from "../event.ts";
import type { Log } from "../log.ts";
import type { Interests } from "../rule/matcher.ts";
import type { CatchUp, Found } from "./catch-up.ts";
import { came, ended, keyOf, type RecentlyTold } from "./recently-told.ts";
import { isOwnOutput, type Node } from "./tree.ts";
import type { Listing } from "./walk.ts";
import type { WatchTable } from "./watch-table.ts";

const { create, modify, close_write, moved_to } = eventBits;

/** A look tells these, and none of the others. */
const content = create | modify | close_write;

/** So long the comparison waits for a moment in which no record is queued: milliseconds. */
const patienceMs = 200;

/** What is looked for. */
interface Search {
  /** What changed later: microseconds since 1970. */
  since: number;
  /** Orders of what was told when the first and the last record said that others are lost. */
  readonly firstLoss: number;
  lastLoss: number;
  readonly asked: number;
  /** Who is told what changed before the start; null: who is told what was lost. */
  readonly rules: ReadonlySet<number> | null;
}

interface FoundPlace {
  readonly node: Node;
  readonly name: Uint8Array;
  readonly interests: Interests;
}

/** It was told before the loss: whether it changed again is seen when the others are known. */
interface Doubtful extends FoundPlace {
  readonly found: Found;
  readonly changed: number;
  readonly order: number;
}

export class Recovery {
  readonly #table: WatchTable;
  readonly #told: RecentlyTold;
  readonly #catchUp: CatchUp;
  readonly #log: Log;
  #search: Search | null = null;
  /** Asked for while one was under way. */
  #next: Search | null = null;
  #isLooking = false;
  #doubtful: Doubtful[] = [];
  /** Not later than the end of the first record that is missing, as far as files tell. */
  #lostBy = Infinity;
  /** Time of change of what a look has found, by `keyOf`: it is told again only if it changes again. */
  readonly #handled = new Map<string, number>();
  /** What the rules of a search want. */
  #interests = new WeakMap<Interests, Interests | null>();
  #endedAt = 0;
  #count = 0;

  constructor(table: WatchTable, { catchUp, log }: { catchUp: CatchUp; log: Log }) {
    this.#table = table;
    this.#told = table.told;
    this.#catchUp = catchUp;
    this.#log = log;
  }

  get isActive(): boolean {
    return this.#search !== null;
  }

  /** The record in hand says that others are lost. @param wall the time now, microseconds since 1970 */
  lost(wall: number): void {
    const { lossClock, backend } = this.#table;
    const since = lossClock.intactUntil(wall);
    lossClock.lost(wall, backend);
    this.#told.open();
    const order = this.#told.nextOrder;
    const isOther = this.#isLooking || (this.#search?.rules ?? null) !== null;
    const search = isOther ? this.#next : this.#search;
    if (search !== null) {
      search.since = Math.min(search.since, since);
      search.lastLoss = order;
      return;
    }
    const asked = performance.now();
    const fresh = { since, firstLoss: order, lastLoss: order, asked, rules: null };
    if (this.#search === null) this.#search = fresh;
    else this.#next = fresh;
  }

  /**
   * Look for what happened before the start, as after a loss. To be called once, when all is watched.
   *
   * @param since microseconds since 1970
   * @param rules who is told
   */
  lookBack(since: number, rules: ReadonlySet<number>): void {
    this.#told.open();
    const order = this.#told.nextOrder;
    const asked = performance.now();
    this.#search = { since, firstLoss: order, lastLoss: order, asked, rules };
  }

  /** Go on, between two reads. */
  step(): void {
    if (this.#search === null) return;
    const { backend } = this.#table;
    if (!this.#isLooking) {
      const isPatient = performance.now() - this.#search.asked < patienceMs;
      if (isPatient && backend.end > backend.position) return;
      if (this.#search.rules !== null && this.#table.isWalking) return;
      this.#begin();
    }
    if (this.#table.isComparing || this.#catchUp.isLookingIn(this.#table)) return;
    if (this.#doubtful.length > 0) return this.#decide();
    this.#end();
  }

  #begin(): void {
    this.#isLooking = true;
    this.#table.compareAll();
    for (const { node } of this.#table.roots.values())
      if (node !== null && !node.isDirectory) this.#lookAtFile(node);
  }

  /** All that is in a directory of the tree. What is in a new one is told by the look into that. */
  look(node: Node, { directory, entries }: Listing): void {
    if (!this.#isLooking) return;
    const interests = this.#interestsOf(node);
    if (interests === null) return;
    const found: Found[] = [];
    for (const { name, type } of entries) {
      if (type === DT_DIR && !interests.directories) continue;
      if (isOwnOutput(node, name, 0, name.length)) continue;
      const one = this.#find({ node, name, interests }, directory.entry(name));
      if (one !== null) found.push(one);
    }
    this.#add(node, interests, found);
  }

  #lookAtFile(node: Node): void {
    const interests = this.#interestsOf(node);
    if (interests === null) return;
    const name = new Uint8Array(0);
    const one = this.#find({ node, name, interests }, cString(node.path), { followSymlink: true });
    if (one !== null) this.#add(node, interests, [{ ...one, arrives: 0 }]);
  }

  /** Those who are told of what is found; null: nobody. */
  #interestsOf({ interests }: Node): Interests | null {
    if (interests === null) return null;
    const { rules } = this.#search!;
    if (rules === null) return (interests.events & content) === 0 ? null : interests;
    let some = this.#interests.get(interests);
    if (some === undefined) {
      some = interests.ofRules(rules);
      this.#interests.set(interests, some);
    }
    return some !== null && (some.events & (content | moved_to)) !== 0 ? some : null;
  }

  #add(node: Node, interests: Interests, found: readonly Found[]): void {
    this.#count += found.length;
    const reason = this.#search!.rules === null ? "overflow" : "restart";
    this.#catchUp.add(node, this.#table, { interests, found, reason });
  }

  #find(place: FoundPlace, path: Uint8Array, options = { followSymlink: false }): Found | null {
    const status = statusOf(path, options);
    if (status === null || status.changed < this.#search!.since) return null;
    const { node, name } = place;
    if (this.#handled.get(keyOf(node.id, name)) === status.changed) return null;
    const told = this.#told.get(node.id, name);
    const found = this.#foundAs(name, status, path);
    if (told !== null) {
      if ((told.events & came) !== 0) found.arrives = 0;
      if ((told.events & ended) !== 0) return this.#doubt(place, found, status.changed, told.order);
    }
    if (found.arrives === 0 && found.completes === 0) return null;
    this.#handled.set(keyOf(node.id, name), status.changed);
    const isLost = found.completes !== 0 && status.modified >= this.#search!.since;
    if (isLost) this.#lostBy = Math.min(this.#lostBy, status.modified);
    return found;
  }

  #foundAs(name: Uint8Array, status: FileStatus, path: Uint8Array): Found {
    const { since, rules } = this.#search!;
    const isComplete = status.kind === S_IFREG && !isBeingWritten(path);
    // Whether it was written there or moved there nobody knows: after a loss another record may say it.
    const moved = rules === null ? 0 : moved_to;
    const completes = close_write | moved | (status.modified >= since ? modify : 0);
    return {
      name,
      isDirectory: status.kind === S_IFDIR,
      arrives: status.born >= since ? create : 0,
      completes: isComplete ? completes : 0,
      wasToldCreated: false,
      wasToldClosed: false,
    };
  }

  #doubt(place: FoundPlace, found: Found, changed: number, order: number): Found | null {
    const { lastLoss } = this.#search!;
    if (found.completes !== 0 && order < lastLoss)
      this.#doubtful.push({ ...place, found: { ...found, arrives: 0 }, changed, order });
    return found.arrives === 0 ? null : { ...found, completes: 0 };
  }

  /**
   * A file was told, and has changed since if its time of change is later than that of another which was
   * told after it, or than that of one whose record is missing.
   */
  #decide(): void {
    const { firstLoss } = this.#search!;
    let latest = Infinity;
    for (const one of this.#doubtful.sort((a, b) => b.order - a.order)) {
      const { node, name, interests, found, changed, order } = one;
      const hasChanged = changed > latest || (order < firstLoss && changed > this.#lostBy);
      if (hasChanged) {
        this.#handled.set(keyOf(node.id, name), changed);
        this.#add(node, interests, [found]);
      }
      latest = Math.min(latest, changed);
    }
    this.#doubtful = [];
  }

  #end(): void {
    const when = this.#search!.rules === null ? "After the overflow" : "Since facron ended";
    this.#log.info(
      `${when}: ${this.#count === 1 ? "1 change was" : `${this.#count} changes were`} found by a look and told as synthetic events; ` +
        "what was deleted, renamed, opened or read meanwhile is not known",
    );
    this.#search = this.#next;
    this.#next = null;
    this.#isLooking = false;
    this.#lostBy = Infinity;
    this.#count = 0;
    this.#endedAt = nowMicroseconds();
    if (this.#search === null) this.#told.close();
  }

  /** Before each read. @param wall the time now, microseconds since 1970 */
  beforeRead(wall: number): void {
    const { lossClock, backend } = this.#table;
    lossClock.beforeRead(wall, backend);
    const intact = lossClock.intactUntil(wall);
    this.#told.forget({ needed: intact, now: wall });
    // Another overflow would look for what changed after that.
    const isOver = this.#search === null && this.#handled.size > 0 && intact > this.#endedAt;
    if (isOver) this.#handled.clear();
  }
}

function statusOf(
  path: Uint8Array,
  options: { readonly followSymlink: boolean },
): FileStatus | null {
  try {
    return fileStatus(path, options);
  } catch (error) {
    if (error instanceof SyscallError) return null; // gone, or closed to us
    throw error;
  }
}
