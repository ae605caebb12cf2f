/** `node:path` for paths that need not be UTF-8 (`pathText`): Bun's own turns what is not into U+FFFD. */
import * as path from "node:path";
import { fromLatin1, latin1, pathBytes, pathText } from "../../ffi/bytes.ts";

export function resolve(start: string, name: string): string {
  const areText = start.isWellFormed() && name.isWellFormed();
  return areText ? path.resolve(start, name) : back(path.resolve(there(start), there(name)));
}

export function dirname(name: string): string {
  return name.isWellFormed() ? path.dirname(name) : back(path.dirname(there(name)));
}

export function basename(name: string): string {
  return name.isWellFormed() ? path.basename(name) : back(path.basename(there(name)));
}

/** One char for one byte: a slash is a slash. */
function there(text: string): string {
  return latin1(pathBytes(text));
}

function back(text: string): string {
  return pathText(fromLatin1(text));
}
