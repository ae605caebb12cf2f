/** Paths as ffi/ takes them: bytes with a NUL at the end. */
import { cString, utf8 } from "../../ffi/bytes.ts";

/** @param name put behind `directory` and a slash: text, or bytes that need not be UTF-8 */
export function cPath(directory: string, name?: string | Uint8Array): Uint8Array {
  if (name === undefined) return cString(utf8(directory));
  const last = typeof name === "string" ? utf8(name) : name;
  return cString(Buffer.concat([utf8(`${directory}/`), last]));
}
