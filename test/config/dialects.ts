/** The dialects, as the tests that are the same for all of them see them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatNamed } from "../../src/config/format.ts";
import type { FormatName, Parsed } from "../../src/config/source.ts";
import type { ConfigProblem } from "../../src/errors.ts";

export interface Dialect {
  readonly name: FormatName;
  /** Of its golden files. */
  readonly extension: string;
}

export const dialects: readonly Dialect[] = [
  { name: "facron", extension: ".conf" },
  { name: "toml", extension: ".toml" },
  { name: "incron", extension: ".conf" },
];

const golden = join(import.meta.dir, "../golden");

export type Folder = "good" | "bad";

export function goldenPath({ name }: Dialect, folder: Folder, file: string): string {
  return join(golden, name, folder, file);
}

/** Names without the extension. */
export function goldenNames(dialect: Dialect, folder: Folder): string[] {
  const { extension } = dialect;
  const files = readdirSync(goldenPath(dialect, folder, ""));
  const sources = files.filter((file) => file.endsWith(extension));
  return sources.map((file) => file.slice(0, -extension.length)).sort();
}

export function goldenBytes(dialect: Dialect, folder: Folder, name: string): Uint8Array {
  return readFileSync(goldenPath(dialect, folder, `${name}${dialect.extension}`));
}

/** @throws {ConfigError} */
export function parseAs(
  { name }: Dialect,
  bytes: Uint8Array,
  file: string,
): Parsed & { warnings: ConfigProblem[] } {
  const warnings: ConfigProblem[] = [];
  const warn = (warning: ConfigProblem): void => void warnings.push(warning);
  return { ...formatNamed(name).parse({ file, bytes, cwd: "/cwd", warn }), warnings };
}
