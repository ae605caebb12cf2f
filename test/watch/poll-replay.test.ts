/** Random work between the looks of polling: what is told, replayed line by line, leads to the tree that is there. */
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { eventBits } from "../../src/event.ts";
import { Interests } from "../../src/rule/matcher.ts";
import { RuleSet } from "../../src/rule/rule-set.ts";
import { noDisk } from "../../src/rule/subject.ts";
import type { Place } from "../../src/watch/backend.ts";
import { OwnOutputs } from "../../src/watch/own-outputs.ts";
import { PollTable } from "../../src/watch/poll-table.ts";
import { joined } from "../../src/watch/tree.ts";
import { seededRandom } from "../contract/random.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const batches = Number(process.env["FACRON_STRESS_BATCHES"] ?? 150);
const actsPerBatch = 12;

/** What is not seen in one round is told by the next. */
const roundsPerBatch = 3;
const intervalMs = 1;

/** What a path is: "dir" or "file". */
type Tree = Map<string, "dir" | "file">;

/** What was told, done to a tree. What cannot be done is a fault. */
class Replay {
  readonly tree: Tree = new Map([["", "dir"]]);
  readonly told: string[] = [];
  fault = "";

  create(path: string, isDirectory: boolean): void {
    this.told.push(`create ${path}`);
    if (this.tree.get(dirname(path).replace(/^\.$/, "")) !== "dir") this.#fail("in no directory");
    if (this.tree.has(path)) this.#fail("it is there");
    this.tree.set(path, isDirectory ? "dir" : "file");
  }

  delete(path: string): void {
    this.told.push(`delete ${path}`);
    if (!this.tree.has(path)) this.#fail("it is not there");
    if (this.#below(path).length > 0) this.#fail("it is not empty");
    this.tree.delete(path);
  }

  rename(from: string, to: string): void {
    this.told.push(`rename ${to} from ${from}`);
    const kind = this.tree.get(from);
    const over = this.tree.get(to);
    if (kind === undefined) return this.#fail("it is not there");
    if (this.tree.get(dirname(to).replace(/^\.$/, "")) !== "dir") this.#fail("into no directory");
    if (to.startsWith(`${from}/`)) this.#fail("into itself");
    if (over !== undefined && (over !== kind || this.#below(to).length > 0)) this.#fail("over it");
    const below = this.#below(from);
    this.tree.delete(from);
    this.tree.set(to, kind);
    for (const path of below) {
      const same = this.tree.get(path)!;
      this.tree.delete(path);
      this.tree.set(to + path.slice(from.length), same);
    }
  }

  #below(path: string): string[] {
    return [...this.tree.keys()].filter((one) => one.startsWith(`${path}/`));
  }

  #fail(why: string): void {
    this.fault ||= `${this.told.at(-1)}: ${why}`;
  }
}

/** A directory that is polled, and what it told. */
function polled(root: string, replay: Replay) {
  const pathOf = ({ node, name }: Place): string =>
    latin1(joined(node, name)).slice(root.length + 1);
  let isRenamed = false;
  const arrived: (() => void)[] = [];
  const endGroup = (): void => {
    // Without a rename, what came is new.
    for (const tell of arrived.splice(0)) if (!isRenamed) tell();
    isRenamed = false;
  };
  const table = new PollTable({
    log: { info() {}, warn() {}, error() {} },
    ownOutputs: new OwnOutputs([]),
    sink: {
      synthetic(place, events, isDirectory) {
        const path = pathOf(place);
        if ((events & eventBits.create) !== 0) replay.create(path, isDirectory);
        if ((events & eventBits.delete) !== 0) replay.delete(path);
        if ((events & eventBits.moved_to) !== 0 && (events & eventBits.close_write) === 0)
          arrived.push(() => replay.create(path, isDirectory));
      },
      renamed({ from, to }) {
        isRenamed = true;
        replay.rename(pathOf(from), pathOf(to));
      },
      beginGroup() {},
      endGroup,
    },
    asking: () => {},
    isWanted: () => true,
    somethingCameOrWent: () => {},
  });
  const events = eventBits.create | eventBits.delete | eventBits.rename | eventBits.close_write;
  const condition = [{ groups: [events], children: true, directories: true }];
  const rule = {
    name: "1",
    watch: [],
    backend: "poll",
    condition,
    runs: false,
    once: false,
  } as const;
  const rules = new RuleSet([rule], null, noDisk);
  const all = new Interests(rules, [{ rule: 0, self: true, children: true }]);
  const wants = { top: all, below: all, belowHidden: all, intervalMs, isNew: false };
  table.setRoot(utf8(root), wants);
  return () => {
    for (let round = 0; round < roundsPerBatch; round++) {
      Bun.sleepSync(2 * intervalMs);
      table.startRound();
      table.lookOn(Infinity);
    }
  };
}

/**
 * Does what can be told one after the other: no two names are exchanged, nothing takes the name of what it
 * was in, and no new directory gets the name of an old one and what was in that.
 */
class Writer {
  readonly #root: string;
  readonly #random = seededRandom();
  readonly done: string[] = [];
  #names = 0;
  /** Names of directories that were deleted since the last look. */
  #free: string[] = [];
  /** By inode: where each directory was at the last look. */
  #before = new Map<number, string>();

  constructor(root: string) {
    this.#root = root;
  }

  looked(): void {
    this.#free = [];
    this.done.length = 0;
    this.#before = new Map([...treeIn(this.#root).keys()].map((path) => [this.#inode(path), path]));
  }

  act(): void {
    const which = this.#random.below(100);
    if (which < 20) return this.#write(this.#newName("f"));
    if (which < 35) return this.#makeDirectory(this.#newName("d"));
    if (which < 40) return this.#makeNested();
    if (which < 60) return this.#renameFile();
    if (which < 80) return this.#renameDirectory();
    if (which < 90) return this.#delete("file");
    this.#delete("dir");
  }

  #write(path: string): void {
    this.done.push(`write ${path}`);
    writeFileSync(join(this.#root, path), path);
  }

  #makeDirectory(path: string): void {
    this.done.push(`mkdir ${path}`);
    mkdirSync(join(this.#root, path));
  }

  #makeNested(): void {
    let path = this.#newName("n");
    this.#makeDirectory(path);
    for (let depth = 0; depth < 3; depth++) {
      const file = this.#oneOf("file");
      if (file !== null) this.#rename(file, join(path, `m${this.#names++}`));
      path = join(path, `n${this.#names++}`);
      this.#makeDirectory(path);
    }
  }

  #renameFile(): void {
    const from = this.#oneOf("file");
    if (from === null) return;
    const over = this.#random.chance(0.3) ? this.#oneOf("file") : null;
    this.#rename(from, over ?? this.#newName("r"));
  }

  #renameDirectory(): void {
    const from = this.#oneOf("dir");
    if (from === null) return;
    const was = this.#before.get(this.#inode(from));
    const last = this.#free.at(-1) ?? from;
    const isFree = this.#random.chance(0.7) && was?.startsWith(`${last}/`) === false;
    const free = isFree ? this.#free.pop() : undefined;
    const to = free ?? this.#newName("r");
    const isPossible =
      !to.startsWith(`${from}/`) && treeIn(this.#root).has(dirname(to).replace(/^\.$/, ""));
    if (isPossible && !treeIn(this.#root).has(to)) this.#rename(from, to);
  }

  #rename(from: string, to: string): void {
    if (from === to) return;
    this.done.push(`mv ${from} ${to}`);
    renameSync(join(this.#root, from), join(this.#root, to));
  }

  #delete(kind: "dir" | "file"): void {
    const path = this.#oneOf(kind);
    if (path === null) return;
    this.done.push(`rm -r ${path}`);
    rmSync(join(this.#root, path), { recursive: true });
    if (kind === "dir") this.#free.push(path);
    else if (this.#random.chance(0.3)) this.#makeDirectory(path);
    else if (this.#random.chance(0.3)) this.#write(path);
  }

  #inode(path: string): number {
    return statSync(join(this.#root, path)).ino;
  }

  #newName(kind: string): string {
    return join(this.#oneOf("dir") ?? "", `${kind}${this.#names++}`);
  }

  #oneOf(kind: "dir" | "file"): string | null {
    const all = [...treeIn(this.#root)].filter(([path, one]) => one === kind && path !== "");
    return all.length === 0 ? null : this.#random.pick(all)[0];
  }
}

function treeIn(root: string): Tree {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  return new Map([
    ["", "dir"],
    ...entries.map(
      (entry) =>
        [
          join(entry.parentPath, entry.name).slice(root.length + 1),
          entry.isDirectory() ? "dir" : "file",
        ] as const,
    ),
  ]);
}

function sorted(tree: Tree): string[] {
  return [...tree].map(([path, kind]) => `${path} ${kind}`).sort();
}

test("what polling tells of directories and files can be replayed in its order, and gives what is there", () => {
  const dir = tempDir();
  const replay = new Replay();
  const look = polled(dir.path, replay);
  look();
  const writer = new Writer(dir.path);
  for (let batch = 0; batch < batches; batch++) {
    const before = sorted(replay.tree);
    for (let act = 0; act < actsPerBatch; act++) writer.act();
    look();
    const fault =
      replay.fault === ""
        ? ""
        : [...before, "--", ...writer.done, "--", ...replay.told, "--", replay.fault].join("\n");
    expect(fault).toBe("");
    expect(sorted(replay.tree)).toEqual(sorted(treeIn(dir.path)));
    writer.looked();
    replay.told.length = 0;
  }
}, 60_000);
