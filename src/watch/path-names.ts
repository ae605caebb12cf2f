/** The names by which a path leads to its file: the file's own, and those of symbolic links on the way. */
import { cString, fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { readLink, S_IFLNK } from "../../ffi/files.ts";
import { statusOrNull } from "./own-outputs.ts";

/** When another file gets such a name, the path leads to another file. */
export interface PathName {
  /** Where it is in truth: no symbolic link is on the way to it. */
  readonly directory: Uint8Array;
  readonly name: Uint8Array;
  /** Which symbolic link has the name; null if it is the file's own. */
  readonly link: string | null;
}

/** Symbolic links that the kernel follows on one path (path_resolution(7)). */
const linksMax = 40;

/** As far as there is something. @param path absolute */
export function namesTo(path: Uint8Array): PathName[] {
  const found: PathName[] = [];
  let directory = "";
  let rest = componentsOf(latin1(path));
  for (let links = 0; links <= linksMax;) {
    const [first, ...others] = rest;
    if (first === undefined) return found;
    rest = others;
    if (first === "..") {
      directory = directory.slice(0, Math.max(directory.lastIndexOf("/"), 0));
      continue;
    }
    const here = `${directory}/${first}`;
    const place = { directory: fromLatin1(directory || "/"), name: fromLatin1(first) };
    const link = linkAt(here);
    if (link === null) {
      if (rest.length === 0) found.push({ ...place, link });
      directory = here;
      continue;
    }
    links++;
    found.push({ ...place, link: link.identity });
    if (link.target.startsWith("/")) directory = "";
    rest = [...componentsOf(link.target), ...rest];
  }
  return found;
}

/** Which symbolic links are among them: the same as long as none of them is another one. */
export function linksOf(names: readonly PathName[]): string {
  return names.flatMap(({ link }) => link ?? []).join("\n");
}

function componentsOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/** Null if it is no symbolic link, or gone. */
function linkAt(path: string): { identity: string; target: string } | null {
  const name = cString(fromLatin1(path));
  const status = statusOrNull(name, { followSymlink: false });
  if (status?.kind !== S_IFLNK) return null;
  try {
    // Inode numbers are used again, and a rename changes the ctime: born and target tell the rest apart.
    const target = latin1(readLink(name));
    return { identity: `${status.inode} ${status.born} ${target}`, target };
  } catch (error) {
    if (error instanceof SyscallError) return null;
    throw error;
  }
}
