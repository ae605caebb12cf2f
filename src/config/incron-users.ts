/** Who may have a table of incron's: incron.allow and incron.deny, and whose a file is. */
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { quoted } from "../log.ts";
import type { IncronConf } from "./incron-conf.ts";

/** Which users count. */
export interface Permission {
  /** Why this user's table is left out, and the cure; null: it counts. */
  reasonAgainst(user: string): string | null;
  /** The file that keeps everybody out, as the empty one of Debian's package does. */
  readonly emptyAllowFile: string | null;
}

/**
 * Only the users in the one file if it exists, else everyone but those in the other if that exists.
 *
 * A file that is there and cannot be read lets nobody in.
 */
export function permissionBy({
  allowed_users: allowFile,
  denied_users: denyFile,
}: Pick<IncronConf, "allowed_users" | "denied_users">): Permission {
  if (existsSync(allowFile)) {
    const allowed = namesIn(allowFile);
    return {
      reasonAgainst: (user) =>
        allowed?.has(user) === true
          ? null
          : `${quoted(user)} is not in ${quoted(allowFile)}; add a line with the name`,
      emptyAllowFile: allowed?.size === 0 ? allowFile : null,
    };
  }
  const denied = existsSync(denyFile) ? namesIn(denyFile) : new Set<string>();
  return {
    reasonAgainst: (user) =>
      denied?.has(user) === false
        ? null
        : `${quoted(user)} is in ${quoted(denyFile)}; take the name out`,
    emptyAllowFile: null,
  };
}

/** One name in a line; null if the file cannot be read. */
function namesIn(file: string): Set<string> | null {
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    return new Set(lines.map((line) => line.trim()).filter((line) => line !== ""));
  } catch {
    return null;
  }
}

/**
 * Why a user's table must not be obeyed, and the cure: somebody else could have written it. Null if it may.
 *
 * A symbolic link is refused too: in a directory that users can write, it shows root a file of its choice.
 */
export function distrustOfTable(path: string, uid: number): string | null {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return null; // reading it says so
  if (!status.isFile()) return "it is not a regular file; put one there";
  if (status.uid !== uid && status.uid !== 0) {
    return `user ${status.uid} owns it; give it to its user by chown, or to root`;
  }
  return (status.mode & 0o022) === 0 ? null : "others can write it; run chmod go-w on it";
}
