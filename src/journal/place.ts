/** Where a journal lies: one for each configuration, so that two services keep out of each other's way. */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";

export interface JournalPlace {
  /** What `state_dir` says. */
  readonly directory: string;
  /** The files that hold the rules, absolute, as the command line names them. */
  readonly configuration: readonly string[];
  readonly file: string;
  /** Locked by the facron whose journal it is: it holds its pid. */
  readonly lock: string;
  /** A named pipe: who has changed the journal writes to it. */
  readonly wake: string;
}

export const journalSuffix = ".journal";

/** What a name may have of the configuration's: NAME_MAX is 255. */
const nameLengthMax = 100;

/**
 * The name comes from the configuration's path and not from what is in it: `facron.toml-1a2b3c4d.journal`.
 *
 * @param directory absolute
 */
export function placeOf(directory: string, configuration: readonly string[]): JournalPlace {
  const digest = createHash("sha256").update(configuration.join("\0")).digest("hex").slice(0, 8);
  const named = basename(configuration[0] ?? "").slice(0, nameLengthMax) || "facron";
  const base = join(directory, `${named}-${digest}`);
  return {
    directory,
    configuration,
    file: base + journalSuffix,
    lock: `${base}.lock`,
    wake: `${base}.wake`,
  };
}
