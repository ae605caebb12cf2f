/** The ignore files of one rule: which of them speak of a place, and what they say. */
import { lastMatch } from "./ignore-rules.ts";
import type { PlaceBelow } from "./path-glob.ts";
import type { DirectoryPath, Disk, IgnoreRule, IgnoreRulesNow } from "./subject.ts";

const slash = 0x2f;

/** The files that speak of what is in one directory: those of the directories above it too. */
export interface IgnoreChain {
  /** From the watch's own directory down, one list for each. */
  readonly perDirectory: readonly (readonly IgnoreRulesNow[])[];
  /** The rule's own, which speak of every directory. */
  readonly common: readonly IgnoreRulesNow[];
}

export class IgnoreFiles {
  /** Looked up in each directory. */
  readonly names: readonly Uint8Array[];
  /** One each for the whole rule. */
  readonly #common: readonly IgnoreRulesNow[];
  readonly #disk: Disk;

  /** @param files names, and paths if they hold a slash */
  constructor(files: readonly Uint8Array[], disk: Disk) {
    this.#disk = disk;
    this.names = files.filter((file) => !file.includes(slash));
    const paths = files.filter((file) => file.includes(slash));
    this.#common = paths.map((path) => disk.ignoreRules(path, { followSymlink: true }));
  }

  /** @param names of the directories from the watch down to `directory` */
  chainOf(directory: DirectoryPath, rootLength: number, names: readonly Uint8Array[]): IgnoreChain {
    const perDirectory: IgnoreRulesNow[][] = [];
    let end = rootLength;
    for (let depth = 0; depth <= names.length; depth++) {
      const at = directory.raw.subarray(0, end);
      perDirectory.push(this.names.map((name) => rulesIn(at, name, this.#disk)));
      end += (names[depth]?.length ?? 0) + 1;
    }
    return { perDirectory, common: this.#common };
  }

  /**
   * The line by which a place is ignored. As in git, nothing that is in an ignored directory can be
   * taken out of that again.
   */
  judge(chain: IgnoreChain, place: PlaceBelow, isDirectory: boolean): IgnoreRule | null {
    const { names } = place;
    for (let depth = 0; depth < names.length; depth++) {
      const above = { names, from: 0, to: depth, name: names[depth]! };
      const line = this.#lineAbout(chain, above, true);
      if (line !== null && !line.isNegative) return line;
    }
    const line = this.#lineAbout(chain, place, isDirectory);
    return line === null || line.isNegative ? null : line;
  }

  /** Deeper files come after the others, and those of the whole rule before all: the last line decides. */
  #lineAbout(
    { perDirectory, common }: IgnoreChain,
    place: PlaceBelow,
    isDirectory: boolean,
  ): IgnoreRule | null {
    for (let depth = place.to; depth >= 0; depth--) {
      const line = decide(perDirectory[depth]!, { ...place, from: depth }, isDirectory);
      if (line !== null) return line;
    }
    return decide(common, place, isDirectory);
  }
}

function rulesIn(directory: Uint8Array, name: Uint8Array, disk: Disk): IgnoreRulesNow {
  const path = new Uint8Array(directory.length + name.length);
  path.set(directory);
  path.set(name, directory.length);
  return disk.ignoreRules(path, { followSymlink: false });
}

function decide(
  files: readonly IgnoreRulesNow[],
  place: PlaceBelow,
  isDirectory: boolean,
): IgnoreRule | null {
  for (let i = files.length - 1; i >= 0; i--) {
    const line = lastMatch(files[i]!.rules, place, isDirectory);
    if (line !== null) return line;
  }
  return null;
}
