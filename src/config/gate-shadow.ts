/** Gates that never decide, as one above them decides about everything that they are for. */
import { bytesEqual } from "../../ffi/bytes.ts";
import { quoted } from "../log.ts";
import type { Gate } from "../rule/gate.ts";
import type { WatchPath } from "../rule/rule.ts";

/** Only what surely is so; null else. @param before in their order */
export function whyShadowed(gate: Gate, before: readonly Gate[]): string | null {
  const other = before.find((one) => decidesAllOf(one, gate));
  if (other === undefined) return null;
  return `Gate never decides: ${quoted(other.name)} is above it, and is about all that it is about; exchange them, or remove one`;
}

function decidesAllOf(above: Gate, gate: Gate): boolean {
  if (above.actor !== undefined || above.filter !== undefined) return false;
  if ((gate.events & ~above.events) !== 0) return false;
  if (gate.directories && !above.directories) return false;
  if (gate.children && !above.children) return false;
  return gate.watch.every((watch) => above.watch.some((one) => holds(one, watch)));
}

function holds(above: WatchPath, watch: WatchPath): boolean {
  if (above.refusesFile === true || above.refusesSymlink === true) return false;
  const isSame =
    bytesEqual(above.path, watch.path) && (above.isGlob === true) === (watch.isGlob === true);
  if (!isSame && (above.isGlob === true || !above.recursive || !isBelow(watch.path, above.path)))
    return false;
  if (watch.recursive && !above.recursive) return false;
  return above.skipsDotDirectories !== true || watch.skipsDotDirectories === true;
}

/** Lexically: what symbolic links do is not looked at, so that no ".." may be in it. */
function isBelow(path: Uint8Array, above: Uint8Array): boolean {
  const [text, start] = [path, above].map((one) => Buffer.from(one).toString("latin1")) as [
    string,
    string,
  ];
  return !text.includes("/..") && text.startsWith(start === "/" ? "/" : `${start}/`);
}
