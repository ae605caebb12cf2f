/** An ignore file as it is written: a name to be looked for in each directory, or one path. */
import { latin1, pathBytes } from "../../ffi/bytes.ts";
import { quoted } from "../log.ts";
import { absolutePath } from "./watch-path.ts";

/** @returns the name or the absolute path; or what is wrong with it */
export function ignoreFileOf(text: string, cwd: string): Uint8Array | string {
  if (text.includes("\0"))
    return "Unexpected NUL character: no path or argument can hold one; remove it";
  if (text === "." || text === ".." || text.endsWith("/"))
    return `Cannot use ${quoted(text)} as an ignore file: it is a directory; name a file`;
  const bytes = pathBytes(text);
  return text.includes("/") ? absolutePath(latin1(bytes), latin1(pathBytes(cwd))) : bytes;
}
