/** The names on which a configuration depends: what has to be watched to see that it changes. */
import { lstatSync, readlinkSync } from "node:fs";
import { dirname, resolve } from "./odd-paths.ts";
import { pathBytes, pathText } from "../../ffi/bytes.ts";

/** A name in a directory; null: any. */
export interface DependedName {
  readonly directory: string;
  readonly name: string | null;
}

/** Symbolic links that the kernel follows on one path (path_resolution(7)). */
const linksMax = 40;

/**
 * Each path's own name, and those of the symbolic links on the way to it: Kubernetes changes a file
 * by making a link above it lead elsewhere.
 *
 * @param paths absolute; a last component with wildcards stands for any name in its directory
 */
export function dependedNames(paths: readonly string[]): DependedName[] {
  const names = new Map<string, DependedName>();
  for (const path of paths) {
    const isPattern = /[*?[{]/.test(path);
    const fixed = isPattern ? fixedPart(path) : path;
    if (isPattern) add(names, resolveLinks(fixed, names), null);
    else resolveLinks(fixed, names);
  }
  return [...names.values()];
}

function add(names: Map<string, DependedName>, directory: string, name: string | null): void {
  names.set(`${directory}\0${name ?? ""}`, { directory, name });
}

/** The directory above the first component with a wildcard. */
function fixedPart(pattern: string): string {
  const components = pattern.split("/");
  const first = components.findIndex((component) => /[*?[{]/.test(component));
  return components.slice(0, first).join("/") || "/";
}

/** Follow `path` link by link and note each name that may change where it leads. @returns where that is */
function resolveLinks(path: string, names: Map<string, DependedName>, links = linksMax): string {
  let at = "/";
  const components = path.split("/").filter((component) => component !== "");
  for (const [index, component] of components.entries()) {
    const next = resolve(at, component);
    const target = linkTarget(next);
    const isLast = index === components.length - 1;
    if (target !== null || isLast) add(names, dirname(next), next.slice(next.lastIndexOf("/") + 1));
    if (target === null || links === 0) at = next;
    else {
      const rest = components.slice(index + 1);
      return resolveLinks([resolve(at, target), ...rest].join("/"), names, links - 1);
    }
  }
  return at;
}

function linkTarget(path: string): string | null {
  try {
    const name = Buffer.from(pathBytes(path));
    const isLink = lstatSync(name, { throwIfNoEntry: false })?.isSymbolicLink() === true;
    return isLink ? pathText(readlinkSync(name, { encoding: "buffer" })) : null;
  } catch {
    return null;
  }
}
