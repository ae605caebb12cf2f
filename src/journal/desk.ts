/** The journal as facron queue sees it: what waits, runs and died, and what is to become of it. */
import type { Database } from "bun:sqlite";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { cString, utf8 } from "../../ffi/bytes.ts";
import { hasListener, wakeByFifo } from "../../ffi/fifo.ts";
import { quoted } from "../log.ts";
import { type Trigger, TriggerReader } from "../reader/trigger.ts";
import { faultText, JournalError } from "./fault.ts";
import { type JournalPlace, journalSuffix } from "./place.ts";
import { openJournal } from "./schema.ts";

export type EntryState = "waiting" | "running" | "dead";

export interface QueueEntry {
  readonly id: number;
  readonly state: EntryState;
  readonly rule: string;
  /** Microseconds since 1970. */
  readonly came: number;
  /** Runs that were interrupted, or that failed. */
  readonly runs: number;
  readonly trigger: Trigger;
  /** Of dead ones. */
  readonly died: number | null;
  readonly error: string | null;
}

interface Row extends Omit<QueueEntry, "trigger"> {
  readonly trigger: Uint8Array;
}

const rows = `
  SELECT entry.id AS id, iif(run.is_done = 0, 'running', 'waiting') AS state, name AS rule, came,
         interrupted AS runs, trigger, NULL AS died, NULL AS error
  FROM entry JOIN rule ON rule.id = entry.rule LEFT JOIN run ON run.id = entry.id
  WHERE run.is_done IS NOT 1
  UNION ALL
  SELECT dead.id, 'dead', name, came, attempts, trigger, died, error
  FROM dead JOIN rule ON rule.id = dead.rule
  ORDER BY id`;

export class QueueDesk implements Disposable {
  readonly #place: JournalPlace;
  readonly #database: Database;

  /** @throws {JournalError} */
  constructor(place: JournalPlace) {
    if (!isThere(place.file)) throw new JournalError(noJournal(place));
    this.#place = place;
    this.#database = openJournal(place.file, null);
  }

  /** In the order in which they came. @throws {JournalError} */
  list(): QueueEntry[] {
    return this.#attempt("read", () => {
      const runs = hasListener(this.#wakePath);
      return this.#database
        .query<Row, []>(rows)
        .all()
        .map((row) => ({
          ...row,
          state: row.state === "running" && !runs ? "waiting" : row.state,
          trigger: new TriggerReader(row.trigger.slice().buffer).take()!,
        }));
    });
  }

  /** The names of the rules that have had events, or whose files are looked at after a start. */
  rules(): Set<string> {
    return this.#attempt("read", () => {
      const names = this.#database.query<{ name: string }, []>(
        "SELECT name FROM rule ORDER BY name",
      );
      return new Set(names.all().map(({ name }) => name));
    });
  }

  /** Dead entries wait again, as if they had just come. @throws {JournalError} */
  retry(ids: readonly number[]): void {
    this.#change(ids, [
      "INSERT INTO entry SELECT id, rule, came, 0, changed, trigger FROM dead WHERE id = ?",
      "INSERT OR IGNORE INTO retried SELECT id FROM dead WHERE id = ?",
      "DELETE FROM dead WHERE id = ?",
    ]);
  }

  /** They are gone; what runs, runs on. @throws {JournalError} */
  drop(ids: readonly number[]): void {
    this.#change(ids, [
      "INSERT OR IGNORE INTO dropped SELECT id FROM entry WHERE id = ?",
      "DELETE FROM entry WHERE id = ?",
      "DELETE FROM run WHERE id = ?",
      "DELETE FROM retried WHERE id = ?",
      "DELETE FROM dead WHERE id = ?",
    ]);
  }

  #change(ids: readonly number[], steps: readonly string[]): void {
    this.#attempt("write", () => {
      const statements = steps.map((sql) => this.#database.prepare<unknown, [number]>(sql));
      this.#database
        .transaction(() => {
          for (const id of ids) for (const statement of statements) statement.run(id);
        })
        .immediate();
      wakeByFifo(this.#wakePath);
    });
  }

  get #wakePath(): Uint8Array {
    return cString(utf8(this.#place.wake));
  }

  #attempt<Result>(doing: "read" | "write", action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      throw new JournalError(faultText(doing, this.#place.file, error));
    }
  }

  [Symbol.dispose](): void {
    this.#database.close(true);
  }
}

function isThere(file: string): boolean {
  return existsSync(file);
}

function noJournal({ directory, configuration }: JournalPlace): string {
  const whose = configuration.map(quoted).join(" and ");
  const which = `No journal of ${whose} in ${quoted(directory)}`;
  const others = journalsIn(directory);
  if (typeof others === "string") return `${which}: ${others}`;
  if (others.length === 0)
    return `${which}: no rule of it has been durable; name another --config or --state-dir`;
  return `${which}: name the configuration of one of these with --config: ${others.join(", ")}`;
}

/** @returns whose they are, or why that can't be told, with the cure */
function journalsIn(directory: string): string[] | string {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(journalSuffix))
      .map((name) => configurationOf(join(directory, name)) ?? quoted(name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    if (code === "ENOTDIR") return "that is no directory; name another --state-dir";
    return "that directory cannot be read; run this as the user that facron runs as";
  }
}

function configurationOf(file: string): string | null {
  try {
    const database = openJournal(file, null);
    try {
      const row = database
        .query<{ value: string }, []>("SELECT value FROM about WHERE name = 'configuration'")
        .get();
      return (JSON.parse(row?.value ?? "[]") as string[]).map(quoted).join(" and ");
    } finally {
      database.close();
    }
  } catch {
    return null; // of another version, or damaged: its name has to do
  }
}
