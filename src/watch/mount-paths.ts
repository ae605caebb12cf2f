/** Paths of mounts beside those of roots. */
import { realpathSync } from "node:fs";
import { latin1 } from "../../ffi/bytes.ts";
import { mountPoints } from "./mount-table.ts";
import type { Root } from "./tree.ts";

/** What is mounted below a root, where it is not a part of the tree. */
export function mountsBelow(root: Root): string[] {
  const paths = pathsOf(root);
  return mountPoints().filter((path) => isIn(path, paths));
}

/** Whether a path leads below one of these. */
export function isIn(path: string, paths: readonly string[]): boolean {
  return paths.some((one) => path !== one && isBelow(path, one));
}

/** Whether a path is another, or leads below it. */
export function isBelow(path: string, other: string): boolean {
  return path === other || path.startsWith(withSlash(other));
}

export function withSlash(path: string): string {
  return path.endsWith("/") ? path : `${path}/`;
}

/** As configured, and without symbolic links. */
export function pathsOf({ path }: Root): string[] {
  const direct = latin1(path);
  const real = realPath(path) ?? direct;
  return real === direct ? [direct] : [direct, real];
}

/** The mount table has no symbolic links in its paths. */
function realPath(path: Uint8Array): string | null {
  try {
    return latin1(realpathSync(Buffer.from(path), { encoding: "buffer" }));
  } catch {
    return null; // gone by now
  }
}
