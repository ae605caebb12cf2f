/** Braces: `{a,b}` stands for each of its members, as in bash, whether or not there is such a file. */
import { WatchError } from "../errors.ts";

/** Ten groups of two; each name is compared with all of them. */
export const alternativesMax = 1024;

/**
 * All that a component with braces stands for. Backslashes stay where they are.
 *
 * Braces without a comma, and those that are never closed, mean themselves.
 *
 * @throws {WatchError} if there are more than `alternativesMax`; its message is what stands behind the colon
 */
export function alternativesOf(text: string): string[] {
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\") {
      at++;
      continue;
    }
    const group = text[at] === "{" ? groupAt(text, at) : null;
    if (group === null) continue;
    const before = text.slice(0, at);
    const members = group.members.flatMap(alternativesOf);
    const rest = alternativesOf(text.slice(group.end));
    if (members.length * rest.length > alternativesMax) throw tooMany();
    return members.flatMap((member) => rest.map((one) => before + member + one));
  }
  return [text];
}

function tooMany(): WatchError {
  const state = `its braces stand for more than ${alternativesMax} names`;
  return new WatchError(`${state}; list the paths, or write * or ? for a part`);
}

/** Its members, with inner groups as they are. Null if there is no comma, or no end. */
function groupAt(
  text: string,
  start: number,
): { readonly members: readonly string[]; readonly end: number } | null {
  const members: string[] = [];
  let depth = 0;
  let memberStart = start + 1;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === "\\") at++;
    else if (char === "{") depth++;
    else if (char === "," && depth === 1) {
      members.push(text.slice(memberStart, at));
      memberStart = at + 1;
    } else if (char === "}" && --depth === 0) {
      members.push(text.slice(memberStart, at));
      return members.length > 1 ? { members, end: at + 1 } : null;
    }
  }
  return null;
}
