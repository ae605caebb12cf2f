/** TOML: `[facron]` and `[[rule]]`. */
import { ConfigError } from "../errors.ts";
import { quoted } from "../log.ts";
import type { Parsed, Source } from "./source.ts";
import { problemOfFile } from "./span.ts";

/** @throws {ConfigError} with everything that is wrong in it */
export function parseToml({ file }: Source): Parsed {
  throw new ConfigError([problemOfFile(file, `Cannot read ${quoted(file)}: not built yet`)]);
}
