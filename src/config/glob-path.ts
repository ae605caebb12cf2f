/** Paths with wildcards as they are written: which are patterns, and what the others name. */

const wildcard = /(?<!\\)(?:\\\\)*[*?[{]/;

/** Whether it holds a wildcard that no backslash stands before. */
export function isPattern(path: string): boolean {
  return wildcard.test(path);
}

/** The path that is meant by one without wildcards: a backslash makes the next character literal. */
export function withoutEscapes(path: string): string {
  return path.replace(/\\(.)/gs, "$1");
}

/** The way back: a path that means exactly `path`. */
export function escapedPath(path: string): string {
  return path.replace(/[\\*?[{]/g, "\\$&");
}

/** What is wrong with a pattern, with its place; null if nothing is. */
export function patternMistake(
  path: string,
): { at: number; length: number; message: string } | null {
  const deep = path.indexOf("**");
  if (deep >= 0) {
    const message = 'Cannot use "**": write the directory above it, and recursive = true';
    return { at: deep, length: 2, message };
  }
  const braces = /(?<!\\)\{[^}]*(\/|$)/.exec(path);
  if (braces === null) return null;
  const message =
    braces[1] === "/"
      ? 'Cannot use a slash inside "{...}": list the paths one by one in watch'
      : 'Missing "}" in the pattern: close it, or write \\{ for a brace in a name';
  return { at: braces.index, length: 1, message };
}
