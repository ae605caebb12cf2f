/** What the journal's thread does to the file: one call, one statement; transactions are its caller's. */
import type { Database, Statement } from "bun:sqlite";

/** Given up for good if more than so many died: the oldest first. */
export const deadMax = 100_000;

export interface NewEntry {
  readonly came: number;
  readonly changed: number;
  readonly trigger: Uint8Array;
}

export interface StoredEntry {
  readonly id: number;
  readonly rule: string;
  readonly trigger: Uint8Array;
}

export interface HandledEntry extends Omit<StoredEntry, "id"> {
  /** When its last run was started, or earlier: microseconds since 1970. Infinity: it waits for one. */
  readonly started: number;
  /** The file's time of change, as it was before. */
  readonly changed: number;
}

interface RuleRow {
  readonly id: number;
  readonly name: string;
  readonly followed: number;
}

type Row<Result> = Statement<Result, number[]>;

export class Store {
  readonly #database: Database;
  readonly #add: Statement;
  readonly #begin: Statement;
  readonly #done: Statement;
  readonly #deleteEntry: Statement;
  readonly #deleteRun: Statement;
  readonly #bury: Statement;
  readonly #setAbout: Statement;
  readonly #ruleIds = new Map<string, number>();
  #nextId: number;
  #dead: number;

  constructor(database: Database) {
    this.#database = database;
    this.#add = database.prepare("INSERT INTO entry VALUES (?, ?, ?, 0, ?, ?)");
    this.#begin = database.prepare("INSERT OR REPLACE INTO run VALUES (?, ?, 0)");
    this.#done = database.prepare(
      "INSERT OR REPLACE INTO run SELECT id, ?, 1 FROM entry WHERE id = ?",
    );
    this.#deleteEntry = database.prepare("DELETE FROM entry WHERE id = ?");
    this.#deleteRun = database.prepare("DELETE FROM run WHERE id = ?");
    this.#bury = database.prepare(
      "INSERT INTO dead SELECT id, rule, came, ?, changed, trigger, ?, ? FROM entry WHERE id = ?",
    );
    this.#setAbout = database.prepare("INSERT OR REPLACE INTO about VALUES (?, ?)");
    this.#nextId = this.#about("next_id") ?? 1;
    this.#dead = this.#number("SELECT count(*) AS value FROM dead");
    this.#loadRuleIds();
  }

  /** All that `write` does is in the file, on the disk, or nothing of it. */
  commit(write: () => void): void {
    const nextId = this.#nextId;
    try {
      this.#database.transaction(write).immediate();
    } catch (error) {
      this.#nextId = nextId;
      this.#loadRuleIds();
      throw error;
    }
  }

  /** What a facron that was killed has left. @returns how many runs were interrupted */
  takeOver(): number {
    const interrupted = this.#database
      .prepare(
        "UPDATE entry SET interrupted = interrupted + 1 WHERE id IN (SELECT id FROM run WHERE is_done = 0)",
      )
      .run().changes;
    this.#database.run("DELETE FROM run WHERE is_done = 0");
    this.#database.run("DELETE FROM retried");
    this.#database.run("DELETE FROM dropped");
    return interrupted;
  }

  /** @param changed the file's time of change, as that of coming: microseconds since 1970. @returns its id */
  add(rule: string, { came, changed, trigger }: NewEntry): number {
    const id = this.#nextId++;
    this.#add.run(id, this.#ruleId(rule), came, changed, trigger);
    return id;
  }

  /** After the last `add` of a transaction: no id is given twice. */
  keepNextId(): void {
    this.#setAbout.run("next_id", this.#nextId);
  }

  /** @param at microseconds since 1970 */
  begin(id: number, at: number): void {
    this.#begin.run(id, at);
  }

  /** @param started its run: the entry is kept until `purge`. Null: it goes now */
  done(id: number, started: number | null): void {
    if (started !== null) {
      this.#done.run(started, id);
      return;
    }
    this.#deleteEntry.run(id);
    this.#deleteRun.run(id);
  }

  /** @param died microseconds since 1970 */
  bury(id: number, { attempts, died, error }: { attempts: number; died: number; error: string }) {
    this.#dead += this.#bury.run(attempts, died, error, id).changes;
    this.#deleteEntry.run(id);
    this.#deleteRun.run(id);
  }

  /** Keep no more than `deadMax` that died. @returns how many are gone */
  limitDead(): number {
    const excess = this.#dead - deadMax;
    if (excess <= 0) return 0;
    this.#dead = this.#number("SELECT count(*) AS value FROM dead"); // facron queue takes some out
    const gone = this.#database
      .prepare("DELETE FROM dead WHERE id IN (SELECT id FROM dead ORDER BY died LIMIT ?)")
      .run(Math.max(this.#dead - deadMax, 0)).changes;
    this.#dead -= gone;
    return gone;
  }

  /** Let go of what is done and came before that: microseconds since 1970. */
  purge(before: number): void {
    const old: Row<{ id: number }> = this.#database.query(
      "SELECT run.id FROM run JOIN entry USING (id) WHERE is_done = 1 AND came < ?",
    );
    for (const { id } of old.all(before)) {
      this.#deleteEntry.run(id);
      this.#deleteRun.run(id);
    }
  }

  /** All that happened before was read and is in the journal: microseconds since 1970, or null. */
  get readUntil(): number | null {
    return this.#about("read_until");
  }

  set readUntil(microseconds: number) {
    this.#setAbout.run("read_until", microseconds);
  }

  /** Rules for which it is looked what happened while facron was down, and since when they are there. */
  get followed(): Map<string, number> {
    const rules = this.#rules().filter(({ followed }) => followed > 0);
    return new Map(rules.map(({ name, followed }) => [name, followed]));
  }

  /** Only these are followed: from `now` on, or since when they have been. */
  follow(rules: readonly string[], now: number): void {
    const before = this.followed;
    this.#database.run("UPDATE rule SET followed = 0");
    const follow = this.#database.prepare("UPDATE rule SET followed = ? WHERE id = ?");
    for (const rule of rules) follow.run(before.get(rule) ?? now, this.#ruleId(rule));
  }

  /** Entries that are not done with, and those that died: some 60 ms for a million. */
  count(): { kept: number; dead: number } {
    const done = this.#number("SELECT count(*) AS value FROM run WHERE is_done = 1");
    const kept = this.#number("SELECT count(*) AS value FROM entry") - done;
    return { kept, dead: this.#number("SELECT count(*) AS value FROM dead") };
  }

  /** How many entries wait, by rule. */
  waiting(): Map<string, number> {
    const rows = this.#database.query<{ name: string; count: number }, []>(
      `SELECT name, count(*) AS count FROM entry JOIN rule ON rule.id = entry.rule
       LEFT JOIN run ON run.id = entry.id WHERE run.is_done IS NOT 1 GROUP BY name`,
    );
    return new Map(rows.all().map(({ name, count }) => [name, count]));
  }

  /** Those that wait, in their order. @param rules only theirs */
  entriesOf(rules: ReadonlySet<string>): Iterable<StoredEntry> {
    return this.#entries("run.is_done IS NOT 1", rules);
  }

  /** Those that facron queue has put back. They are handed over once. */
  takeRetried(rules: ReadonlySet<string>): StoredEntry[] {
    const entries = [...this.#entries("entry.id IN (SELECT id FROM retried)", rules)];
    const forget = this.#database.prepare("DELETE FROM retried WHERE id = ?");
    for (const { id } of entries) forget.run(id);
    return entries;
  }

  /** Those that facron queue has taken out. */
  takeDropped(): number[] {
    const ids = this.#database.query<{ id: number }, []>("SELECT id FROM dropped").all();
    if (ids.length > 0) this.#database.run("DELETE FROM dropped");
    return ids.map(({ id }) => id);
  }

  /** What came since, whether it waits, is done or died. @param came microseconds since 1970 */
  handledSince(came: number): Iterable<HandledEntry> {
    const rows: Row<Omit<HandledEntry, "started"> & { started: number | null }> =
      this.#database.query(
        `SELECT name AS rule, changed, trigger, iif(is_done = 1, started, NULL) AS started
         FROM entry JOIN rule ON rule.id = entry.rule LEFT JOIN run ON run.id = entry.id
         WHERE came >= ?1
         UNION ALL
         SELECT name, changed, trigger, came FROM dead JOIN rule ON rule.id = dead.rule WHERE came >= ?1`,
      );
    return rows.all(came).map((row) => ({ ...row, started: row.started ?? Infinity }));
  }

  /** What SQLite keeps beside the file is written back to it. */
  close(): void {
    this.#database.close(true); // else statements keep it open
  }

  *#entries(condition: string, rules: ReadonlySet<string>): Iterable<StoredEntry> {
    const rows = this.#database.query<{ id: number; name: string; trigger: Uint8Array }, []>(
      `SELECT entry.id AS id, name, trigger FROM entry JOIN rule ON rule.id = entry.rule
       LEFT JOIN run ON run.id = entry.id WHERE ${condition} ORDER BY entry.id`,
    );
    for (const { id, name, trigger } of rows.iterate())
      if (rules.has(name)) yield { id, rule: name, trigger };
  }

  #ruleId(name: string): number {
    const known = this.#ruleIds.get(name);
    if (known !== undefined) return known;
    const added = this.#database
      .query<{ id: number }, [string]>("INSERT INTO rule VALUES (NULL, ?, 0) RETURNING id")
      .get(name);
    this.#ruleIds.set(name, added!.id);
    return added!.id;
  }

  #loadRuleIds(): void {
    this.#ruleIds.clear();
    for (const { id, name } of this.#rules()) this.#ruleIds.set(name, id);
  }

  #rules(): RuleRow[] {
    return this.#database.query<RuleRow, []>("SELECT * FROM rule").all();
  }

  #about(name: string): number | null {
    const row = this.#database
      .query<{ value: number }, [string]>("SELECT value FROM about WHERE name = ?")
      .get(name);
    return row?.value ?? null;
  }

  #number(sql: string): number {
    return this.#database.query<{ value: number }, []>(sql).get()!.value;
  }
}
