/** What is wrong with a journal, in one sentence with its cure. */
import { SQLiteError } from "bun:sqlite";
import { quoted } from "../log.ts";

/** A journal that cannot be used. */
export class JournalError extends Error {
  override readonly name = "JournalError";
}

/** What a caller was about to do, in the words of its message. */
export type Doing = "open" | "read" | "write";

/** @throws what is no error of the file or of the system */
export function faultText(doing: Doing, file: string, error: unknown): string {
  return `Cannot ${doing} the journal ${quoted(file)}: ${causeOf(error, file)}`;
}

function causeOf(error: unknown, file: string): string {
  if (error instanceof SQLiteError) return causeOfSqlite(error, file);
  const { code } = error as { readonly code?: unknown };
  if (typeof code === "string") return `${code}, ${cureOf(code)}`;
  throw error;
}

function cureOf(code: string): string {
  switch (code) {
    case "EACCES":
    case "EPERM":
      return "it is not open to this user; run facron as root, or set another state_dir";
    case "EROFS":
      return "its filesystem can only be read; set another state_dir";
    case "ENOSPC":
    case "EDQUOT":
      return "its disk is full; make room";
    default:
      return "set another state_dir";
  }
}

/** https://www.sqlite.org/rescode.html: extended codes begin with the primary one. */
function causeOfSqlite({ code = "", message }: SQLiteError, file: string): string {
  const is = (primary: string): boolean => code === primary || code.startsWith(`${primary}_`);
  if (is("SQLITE_FULL")) return "its disk is full; make room";
  if (is("SQLITE_READONLY"))
    return "it can only be read; make it writable, or set another state_dir";
  if (is("SQLITE_CORRUPT") || is("SQLITE_NOTADB"))
    return `it is damaged; move it away to begin a new one (mv ${file} ${file}.damaged), and "sqlite3 ${file}.damaged .recover" shows what can still be read of it`;
  if (is("SQLITE_BUSY") || is("SQLITE_LOCKED"))
    return "another program keeps it locked; end that program";
  if (is("SQLITE_CANTOPEN"))
    return "it is not open to this user; run facron as root, or set another state_dir";
  if (is("SQLITE_IOERR"))
    return `its disk fails (${code}); look into the kernel's log, or set another state_dir`;
  return `${message} (${code}); set another state_dir`;
}

/** Whether it is about the file, and not a fault of ours. */
export function isJournalFault(error: unknown): boolean {
  return error instanceof SQLiteError;
}
