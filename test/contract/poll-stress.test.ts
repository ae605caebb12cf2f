/** Random work past the mount that is polled: what was told, replayed, must give what is there. */
import { expect } from "bun:test";
import { appendFileSync, mkdirSync, readdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { FuseServer } from "../helpers/fuse-server.ts";
import { requires } from "../helpers/requires.ts";
import { type EventLine, runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const acts = 2000;
/** As often the writer waits for some milliseconds: looks come in the middle of everything. */
const actsPerRest = 12;

const seed = Number(process.env["FACRON_STRESS_SEED"] ?? Math.floor(Math.random() * 2 ** 32));

/** mulberry32 */
function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What other machines do. No name comes twice: of a name that two had, one after the other, a look knows one. */
class Writer {
  readonly #root: string;
  readonly #random = randomFrom(seed);
  readonly #directories = [""];
  readonly #files: string[] = [];
  #names = 0;

  constructor(root: string) {
    this.#root = root;
  }

  act(): void {
    const which = this.#random();
    if (which < 0.4 || this.#files.length < 5) return this.#create();
    if (which < 0.5) return this.#makeDirectory();
    if (which < 0.75) return this.#renameFile();
    if (which < 0.95) return this.#delete();
    this.#deleteDirectory();
  }

  #create(): void {
    const name = this.#newIn(this.#oneOf(this.#directories), "f");
    appendFileSync(this.#at(name), "half of it, ");
    appendFileSync(this.#at(name), "and the other");
    this.#files.push(name);
  }

  #makeDirectory(): void {
    const name = this.#newIn(this.#oneOf(this.#directories), "d");
    mkdirSync(this.#at(name));
    this.#directories.push(name);
  }

  #renameFile(): void {
    const from = this.#oneOf(this.#files);
    this.#rename(from, this.#newIn(this.#oneOf(this.#directories), "r"));
  }

  #rename(from: string, to: string): void {
    renameSync(this.#at(from), this.#at(to));
    this.#files[this.#files.indexOf(from)] = to;
  }

  #delete(): void {
    const name = this.#oneOf(this.#files);
    unlinkSync(this.#at(name));
    this.#files.splice(this.#files.indexOf(name), 1);
  }

  #deleteDirectory(): void {
    const name = this.#oneOf(this.#directories);
    if (name === "" || readdirSync(this.#at(name)).length > 0) return;
    rmdirSync(this.#at(name));
    this.#directories.splice(this.#directories.indexOf(name), 1);
  }

  #newIn(directory: string, kind: string): string {
    const name = `${kind}${this.#names++}`;
    return directory === "" ? name : `${directory}/${name}`;
  }

  #oneOf(list: readonly string[]): string {
    return list[Math.floor(this.#random() * list.length)]!;
  }

  #at(name: string): string {
    return join(this.#root, name);
  }
}

function renamed(path: string, from: string, to: string): string {
  return path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path;
}

/** Path by path how often a file was said to be complete; null for a directory. */
type Told = Map<string, number | null>;

function replay(events: readonly EventLine[], root: string): Told {
  let told: Told = new Map();
  for (const line of events) {
    const path = line.path!.slice(root.length + 1);
    const isDirectory = line["dir"] === true;
    if (line.events.includes("delete"))
      for (const one of [...told.keys()]) if (renamed(one, path, "") !== one) told.delete(one);
    if (line.events.includes("rename")) {
      const from = String(line["from"]).slice(root.length + 1);
      told = new Map([...told].map(([one, closed]) => [renamed(one, from, path), closed]));
    }
    const isThere = ["create", "rename", "close_write"].some((one) => line.events.includes(one));
    if (isThere && !told.has(path)) told.set(path, isDirectory ? null : 0);
    if (line.events.includes("close_write")) told.set(path, (told.get(path) ?? 0) + 1);
  }
  return told;
}

function thereIn(root: string): Told {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  return new Map(
    entries.map((entry) => [
      join(entry.parentPath, entry.name).slice(root.length + 1),
      entry.isDirectory() ? null : 1,
    ]),
  );
}

function sorted(told: Told): (readonly [string, number | null])[] {
  return [...told].sort(([a], [b]) => (a < b ? -1 : 1));
}

requires({ root: "mounts a filesystem", tools: ["bindfs"] })(
  "what polling tells, replayed, is what is there, and each file was complete once",
  compareAll,
  60_000,
);

async function compareAll(): Promise<void> {
  console.error(`poll-stress: FACRON_STRESS_SEED=${seed}`);
  const dir = tempDir();
  mkdirSync(dir.join("there"));
  const { path } = await FuseServer.start(dir.join("there"), dir.join("share"));
  const options = ["--backend", "poll", "--poll-interval", "20ms"];
  const events = "create,delete,rename,close_write";
  await using facron = await runBinary(["watch", "-r", "-e", events, ...options, path]).ready();
  const writer = new Writer(dir.join("there"));
  for (let act = 0; act < acts; act++) {
    writer.act();
    if (act % actsPerRest === 0) await Bun.sleep(act % 8);
  }
  const expected = sorted(thereIn(dir.join("there")));
  const seen = (): boolean => Bun.deepEquals(sorted(replay(facron.events, path)), expected);
  await waitFor(seen, { what: "all to be told", state: () => facron.log }).catch(() => {});
  expect(sorted(replay(facron.events, path))).toEqual(expected);
}
