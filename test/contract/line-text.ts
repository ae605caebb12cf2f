/** A JSON line as scripts have it: one line for each of its events. */
import { utf8 } from "../../ffi/bytes.ts";
import type { EventLine } from "../helpers/run-binary.ts";

export interface Told {
  readonly text: string;
  /** Of the line that it stood on. */
  readonly seq: number;
  /** Why facron made it itself, or "". */
  readonly synthetic: string;
}

/** @param base what the paths are told relative to */
export function linesTold(line: EventLine, base: string): Told[] {
  const { synthetic = "" } = line as { synthetic?: string };
  return line.events.map((event) => {
    const words = [event];
    if (line.path !== undefined)
      words.push(pathText(rawPath(line), base) + (line["dir"] ? "/" : ""));
    if (typeof line["from"] === "string") {
      words.push("from", pathText(rawFrom(line), base) + (line["dir"] ? "/" : ""));
    }
    if (line["lost"] === true) words.push("lost");
    const rules = rulesText(line["rules"] as string[] | undefined);
    if (rules !== "") words.push(rules);
    return { text: words.join(" "), seq: line.seq, synthetic };
  });
}

/** The bytes of the path. @throws {Error} if `path` and `path_bytes` do not go together */
export function rawPath(line: EventLine): Uint8Array {
  return rawText(line, "path");
}

function rawFrom(line: EventLine): Uint8Array {
  return rawText(line, "from");
}

function rawText(line: EventLine, field: "path" | "from"): Uint8Array {
  const path = String(line[field]);
  const encoded = line[`${field}_bytes`];
  if (encoded === undefined) return utf8(path);
  const raw = Uint8Array.from(Buffer.from(String(encoded), "base64"));
  if (!path.includes("\ufffd")) throw new Error(`${field}_bytes of one that is UTF-8: ${path}`);
  return raw;
}

function pathText(path: Uint8Array, base: string): string {
  const bytes = Buffer.from(path);
  const isBelow = bytes.toString("latin1").startsWith(`${base}/`);
  const shown = isBelow ? bytes.subarray(base.length + 1) : bytes;
  return shown.toString("latin1").replace(/[^!-[\]-~]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** `table:1`, `table:3` are `@1,3`; the one rule of `watch` needs no telling. */
function rulesText(rules: readonly string[] = []): string {
  const lines = rules.filter((rule) => rule !== "watch").map((rule) => rule.replace(/^table:/, ""));
  return lines.length === 0 ? "" : `@${lines.join(",")}`;
}
