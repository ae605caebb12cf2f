/** What every room needs to say something in the log, and to quote a name in it safely. */
import { lossyText } from "../ffi/bytes.ts";

/** Lines for stderr or syslog; never for stdout. */
export interface Log {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

/** Printable ASCII without quotes and backslashes, as most names are: the other expression takes ten times as long. */
const isPlain = /^[ !#-[\]-~]*$/;

/**
 * A name in double quotes, on one line: control characters, quotes and backslashes are escaped, so
 * that no file name can forge a log line or drive a terminal.
 */
export function quoted(name: string | Uint8Array): string {
  const text = typeof name === "string" ? name : lossyText(name);
  if (isPlain.test(text)) return `"${text}"`;
  return `"${text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}"\\]/gu, escapeOne)}"`;
}

/** Text on one line, which neither forges another nor drives a terminal; quotes and backslashes stay. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escapeOne);
}

function escapeOne(char: string): string {
  if (char === '"' || char === "\\") return `\\${char}`;
  if (char === "\n") return "\\n";
  if (char === "\t") return "\\t";
  if (char === "\r") return "\\r";
  const code = char.codePointAt(0)!;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}
