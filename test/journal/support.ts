/** What the tests of the journal share: one on a real file, triggers for it, and what came back. */
import { Database } from "bun:sqlite";
import { utf8 } from "../../ffi/bytes.ts";
import { nowMicroseconds } from "../../ffi/clock.ts";
import { eventBits, type SyntheticReason } from "../../src/event.ts";
import { Journal } from "../../src/journal/journal.ts";
import type { CatchUpWish, FollowedRule } from "../../src/journal/messages.ts";
import { type JournalPlace, placeOf } from "../../src/journal/place.ts";
import { type Trigger, TriggerReader, TriggerWriter } from "../../src/reader/trigger.ts";
import { MemoryLog } from "../action/support.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

export const workerUrl = new URL("../../src/journal/worker.ts", import.meta.url);
const nothing = new Uint8Array(0);

/** Names of rules, all durable; the plan's rules in these tests. */
export type Names = readonly string[];

export interface Came {
  readonly rule: string;
  readonly path: string;
  readonly ticket: number;
  readonly isFromBefore: boolean;
}

export function durable(names: Names, catchesUp = false): FollowedRule[] {
  return names.map((name, index) => ({ index, name, catchesUp }));
}

export interface Written {
  readonly time?: number;
  readonly events?: number;
  readonly synthetic?: SyntheticReason;
  readonly rule?: number;
}

export function bufferOf(paths: readonly string[], written: Written = {}): ArrayBuffer {
  const { time = nowMicroseconds(), events = eventBits.close_write } = written;
  const { synthetic = null, rule = 0 } = written;
  const writer = new TriggerWriter();
  writer.time = time;
  for (const path of paths)
    writer.add(rule, events, 0, 1, utf8(path), nothing, 0, 0, null, null, synthetic);
  return writer.take();
}

export class TestJournal {
  readonly log = new MemoryLog();
  readonly came: Came[] = [];
  readonly journal: Journal<Names>;
  skipped = 0;
  death: string | null = null;
  #isClosed = false;

  constructor(place: JournalPlace) {
    this.journal = new Journal<Names>({
      url: workerUrl,
      place,
      log: this.log,
      onStored: ({ rules, buffer, skipped, isFromBefore }) => {
        this.skipped += skipped;
        for (const { rule, path, ticket } of triggersIn(buffer))
          this.came.push({
            rule: rules[rule]!,
            path: Buffer.from(path).toString(),
            ticket,
            isFromBefore,
          });
      },
      onDeath: (reason) => (this.death = reason),
    });
    atTestEnd(() => this.close());
  }

  /** Open it for these rules. @returns what is to be looked for */
  async follow(names: Names, catchesUp = false): Promise<CatchUpWish | null> {
    await this.journal.opened;
    return this.journal.follow(names, durable(names, catchesUp));
  }

  async waitForCame(count: number): Promise<readonly Came[]> {
    await waitFor(() => this.came.length >= count, { what: `${count} triggers from the journal` });
    return this.came;
  }

  get tickets(): number[] {
    return this.came.map(({ ticket }) => ticket);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const isOpen = await this.journal.opened.then(
      () => true,
      () => false,
    );
    if (isOpen && this.death === null) await this.journal.close();
  }
}

function triggersIn(buffer: ArrayBuffer): Trigger[] {
  const reader = new TriggerReader(buffer);
  const all: Trigger[] = [];
  for (let one = reader.take(); one !== null; one = reader.take()) all.push(one);
  return all;
}

/** On a disk: fsync(2) of a tmpfs costs and promises nothing. */
export function testPlace(): JournalPlace {
  return placeOf(tempDir({ on: "disk" }).join("state"), ["/etc/facron.toml"]);
}

/** Ask the file itself. */
export function rowsOf(place: JournalPlace, sql: string): unknown[] {
  const database = new Database(place.file, { readwrite: true });
  try {
    return database.query(sql).all();
  } finally {
    database.close();
  }
}
