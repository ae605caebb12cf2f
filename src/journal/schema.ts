/** The file of a journal: opened, and brought to the form that this version writes. */
import { Database } from "bun:sqlite";
import { closeSync, constants, openSync } from "node:fs";
import { quoted } from "../log.ts";
import { faultText, JournalError } from "./fault.ts";

/** Raised when the tables, or the layout of triggers (`reader/trigger.ts`), change. */
export const formatVersion = 1;

/** How long another program, facron queue above all, may keep the file locked. */
const busyTimeoutMs = 5_000;

const tables = `
  -- What is known of the journal itself: "configuration", "next_id", "read_until".
  CREATE TABLE about (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;
  -- Times are microseconds since 1970. followed: what happens from then on while facron is down is looked
  -- for; 0: nothing is.
  CREATE TABLE rule (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, followed INTEGER NOT NULL) STRICT;
  -- Triggers of which a run has not succeeded, or did a moment ago.
  CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    rule INTEGER NOT NULL REFERENCES rule,
    came INTEGER NOT NULL,
    interrupted INTEGER NOT NULL,
    -- The file's time of change, as it was before the first run; 0: it is gone, or nobody asks.
    changed INTEGER NOT NULL,
    trigger BLOB NOT NULL
  ) STRICT;
  -- Of entries: when the last run was started, and whether it has succeeded.
  CREATE TABLE run (id INTEGER PRIMARY KEY, started INTEGER NOT NULL, is_done INTEGER NOT NULL) STRICT;
  -- Given up.
  CREATE TABLE dead (
    id INTEGER PRIMARY KEY,
    rule INTEGER NOT NULL REFERENCES rule,
    came INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    trigger BLOB NOT NULL,
    died INTEGER NOT NULL,
    error TEXT NOT NULL
  ) STRICT;
  -- What facron queue asks of a facron that runs: entries that it is to run, and others that it is not.
  CREATE TABLE retried (id INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE dropped (id INTEGER PRIMARY KEY) STRICT;
`;

/**
 * @param configuration whose journal it is, if it is to be made: absolute paths; null: only one that is there
 * @throws {JournalError}
 */
export function openJournal(file: string, configuration: readonly string[] | null): Database {
  let database: Database | null = null;
  try {
    if (configuration !== null) makeFile(file);
    database = new Database(file, { readwrite: true, create: false, strict: true });
    database.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    useWal(database, file);
    database.run("PRAGMA synchronous = FULL"); // WAL alone may lose the last commits when power fails
    if (versionOf(database) === 0) create(database, configuration ?? []);
    checkVersion(database, file);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof JournalError) throw error;
    throw new JournalError(faultText("open", file, error));
  }
}

/** Its owner's alone, whatever the umask; SQLite gives the files beside it the same mode. */
function makeFile(file: string): void {
  closeSync(openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
}

function useWal(database: Database, file: string): void {
  const mode = database.query<{ journal_mode: string }, []>("PRAGMA journal_mode = WAL").get();
  if (mode?.journal_mode === "wal") return;
  throw new JournalError(
    `Cannot open the journal ${quoted(file)}: its filesystem has no memory that programs share; set state_dir to a directory on a local disk`,
  );
}

function versionOf(database: Database): number {
  return database.query<{ user_version: number }, []>("PRAGMA user_version").get()!.user_version;
}

function create(database: Database, configuration: readonly string[]): void {
  database
    .transaction(() => {
      if (versionOf(database) !== 0) return; // another has made it meanwhile
      database.run(tables);
      const about = database.query("INSERT INTO about VALUES (?, ?)");
      about.run("configuration", JSON.stringify(configuration));
      about.run("next_id", 1);
      database.run(`PRAGMA user_version = ${formatVersion}`);
    })
    .immediate();
}

function checkVersion(database: Database, file: string): void {
  const version = versionOf(database);
  if (version === formatVersion) return;
  throw new JournalError(
    `Cannot open the journal ${quoted(file)}: it was written by another version of facron (format ${version}, this one has ${formatVersion}); use that one until its queue is empty, or move the file away`,
  );
}
