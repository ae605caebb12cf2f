/**
 * One of the writers of stress.test.ts: random work in a tree of its own, told operation by operation.
 *
 *     bun stress-writer.ts SEED NAME INSIDE OUTSIDE
 *
 * It does a batch for each line on stdin and answers with a line of JSON; "sync" says that facron has told
 * all that was done so far, "end" asks for what is left.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { type Random, seededRandom } from "./random.ts";

/** What was done, with the paths of that moment. */
export type Done =
  | readonly ["mkdir" | "rmdir" | "write" | "append" | "unlink", string]
  | readonly ["rename", from: string, to: string, isDirectory: boolean]
  | readonly ["out" | "in", string, isDirectory: boolean];

export interface Batch {
  readonly done: readonly Done[];
  /** Where files and directories are now that they were not before, without having been made there. */
  readonly moved: readonly { readonly file: number | null; readonly path: string }[];
  /** Files that were written: number and path. */
  readonly made: readonly { readonly file: number; readonly path: string }[];
  /** Files that came back from outside: facron may tell them anew. */
  readonly back: readonly number[];
  /** Which of `done`, by index, happened to files in directories that facron had told of: each has a record. */
  readonly sure: readonly number[];
}

export interface Left {
  readonly files: readonly { readonly file: number; readonly path: string }[];
  readonly directories: readonly string[];
}

const batchSize = 40;
const directoriesMax = 60;
const filesMax = 400;
/** So few that a name is soon in use again. */
const directoryNames = ["a", "b", "c", "d", "e"];

/** So long libfuse may keep a file that is unlinked: its last close is told to it later. */
const hiddenMs = 5000;

function isFuseHidden(name: string): boolean {
  return name.startsWith(".fuse_hidden");
}

let lastDirectory = 0;

class Directory {
  parent: Directory | null;
  name: string;
  readonly directories = new Map<string, Directory>();
  readonly files = new Map<string, number>();
  /** facron has told of it, and it has been inside ever since. */
  isKnown = false;
  readonly number = ++lastDirectory;
  readonly renames = new Set<string>();

  constructor(parent: Directory | null, name: string) {
    this.parent = parent;
    this.name = name;
  }

  get path(): string {
    return this.parent === null ? this.name : `${this.parent.path}/${this.name}`;
  }

  /** It and all below. */
  get all(): Directory[] {
    return [this, ...[...this.directories.values()].flatMap((one) => one.all)];
  }

  isIn(other: Directory): boolean {
    return this === other || (this.parent?.isIn(other) ?? false);
  }
}

class Writer {
  readonly #random: Random;
  readonly #name: string;
  readonly #inside: Directory;
  readonly #outside: Directory;
  #files = 0;
  #names = 0;
  #done: Done[] = [];
  #moved: Batch["moved"][number][] = [];
  #made: Batch["made"][number][] = [];
  #back: number[] = [];
  #sure: number[] = [];

  constructor(random: Random, name: string, inside: string, outside: string) {
    this.#random = random;
    this.#name = name;
    this.#inside = new Directory(null, inside);
    this.#outside = new Directory(null, outside);
    mkdirSync(inside);
    mkdirSync(outside);
  }

  batch(): Batch {
    for (let i = 0; i < batchSize; i++) this.#one();
    const batch = {
      ...{ done: this.#done, moved: this.#moved, made: this.#made, back: this.#back },
      sure: this.#sure,
    };
    this.#sure = [];
    this.#done = [];
    this.#moved = [];
    this.#made = [];
    this.#back = [];
    return batch;
  }

  /** All that was done is told. */
  sync(): void {
    for (const directory of this.#inside.all) directory.isKnown = true;
  }

  left(): Left {
    const directories = this.#inside.all;
    const files = directories.flatMap((directory) =>
      [...directory.files].map(([name, file]) => ({ file, path: `${directory.path}/${name}` })),
    );
    return { files, directories: directories.map(({ path }) => path) };
  }

  #one(): void {
    const dice = this.#random.below(100);
    if (dice < 30) this.#writeOrMakeRoom();
    else if (dice < 40) this.#append();
    else if (dice < 52) this.#mkdir(this.#anyDirectory());
    else if (dice < 60) this.#mkdirDeep();
    else if (dice < 70) this.#renameFile();
    else if (dice < 82) this.#renameDirectory();
    else if (dice < 90) this.#unlink();
    else if (dice < 94) this.#removeTree();
    else if (dice < 97) this.#moveOut();
    else this.#moveIn();
  }

  #writeOrMakeRoom(): void {
    const files = this.#inside.all.reduce((sum, one) => sum + one.files.size, 0);
    if (files > filesMax) this.#removeTree();
    else this.#write(this.#anyDirectory());
  }

  #write(directory: Directory): void {
    const name = this.#newName();
    const path = `${directory.path}/${name}`;
    this.#put(path, "w");
    directory.files.set(name, ++this.#files);
    this.#doneIn([directory], ["write", path]);
    this.#made.push({ file: this.#files, path });
  }

  #append(): void {
    const file = this.#anyFile();
    if (file === null) return;
    this.#put(file.path, "a");
    this.#doneIn([file.directory], ["append", file.path]);
  }

  #put(path: string, flags: "w" | "a"): void {
    const fd = openSync(path, flags);
    for (let i = this.#random.below(2); i >= 0; i--) writeSync(fd, "text\n");
    closeSync(fd);
  }

  #mkdir(parent: Directory): Directory | null {
    const name = this.#random.pick(directoryNames);
    if (parent.directories.has(name) || this.#inside.all.length > directoriesMax) return null;
    const directory = new Directory(parent, name);
    mkdirSync(directory.path);
    parent.directories.set(name, directory);
    this.#done.push(["mkdir", directory.path]);
    return directory;
  }

  /** As fast as it goes, and a file at the bottom at once. */
  #mkdirDeep(): void {
    let directory: Directory | null = this.#anyDirectory();
    for (let depth = 1 + this.#random.below(4); depth > 0 && directory !== null; depth--) {
      directory = this.#mkdir(directory);
      if (directory !== null && (depth === 1 || this.#random.chance(0.3))) this.#write(directory);
    }
  }

  #renameFile(): void {
    const file = this.#anyFile();
    if (file === null) return;
    const to = this.#random.chance(0.5) ? file.directory : this.#anyDirectory();
    const name = this.#newName();
    const path = `${to.path}/${name}`;
    renameSync(file.path, path);
    file.directory.files.delete(file.name);
    to.files.set(name, file.file);
    this.#doneIn([file.directory, to], ["rename", file.path, path, false]);
    this.#moved.push({ file: file.file, path });
  }

  #renameDirectory(): void {
    const directory = this.#anyDirectory();
    if (directory.parent === null) return;
    const to = this.#random.chance(0.5) ? directory.parent : this.#anyDirectory();
    const name = this.#random.pick(directoryNames);
    const there = to.directories.get(name);
    const isEmpty = there !== undefined && there.directories.size + there.files.size === 0;
    if (to.isIn(directory) || there === directory || (there !== undefined && !isEmpty)) return;
    const from = directory.path;
    if (this.#isRepeated(directory, to, name)) return;
    renameSync(from, `${to.path}/${name}`);
    this.#place(directory, to, name);
    this.#done.push(["rename", from, directory.path, true]);
  }

  /**
   * fanotify merges a rename into a record of the same rename that is still queued (same directories,
   * names, target and process): there, back and there again reads as there and back.
   */
  #isRepeated(directory: Directory, to: Directory, name: string): boolean {
    const key = `${directory.parent!.number}/${directory.name} ${to.number}/${name}`;
    const isRepeated = directory.renames.has(key);
    directory.renames.add(key);
    return isRepeated;
  }

  #unlink(): void {
    const file = this.#anyFile();
    if (file === null) return;
    unlinkSync(file.path);
    file.directory.files.delete(file.name);
    this.#doneIn([file.directory], ["unlink", file.path]);
  }

  #removeTree(directory = this.#anyDirectory()): void {
    if (directory.parent === null) return;
    for (const child of [...directory.directories.values()]) this.#removeTree(child);
    for (const name of directory.files.keys()) {
      unlinkSync(`${directory.path}/${name}`);
      this.#doneIn([directory], ["unlink", `${directory.path}/${name}`]);
    }
    directory.files.clear();
    this.#rmdir(directory.path);
    this.#done.push(["rmdir", directory.path]);
    directory.parent.directories.delete(directory.name);
  }

  /**
   * libfuse (without its `hard_remove`) only renames a file that somebody has open when it is unlinked, as
   * facron may for a moment to ask for its writers: the directory has a ".fuse_hidden" until it is closed.
   * Nothing else is in it: whatever else is left makes this fail.
   */
  #rmdir(path: string): void {
    for (const deadline = performance.now() + hiddenMs; ;) {
      try {
        return rmdirSync(path);
      } catch (error) {
        const isHidden = (error as NodeJS.ErrnoException).code === "ENOTEMPTY";
        const isOver = performance.now() > deadline;
        if (isOver || !isHidden || !readdirSync(path).every(isFuseHidden)) throw error;
      }
    }
  }

  #moveOut(): void {
    const directory = this.#anyDirectory();
    if (directory.parent === null) return;
    const from = directory.path;
    const name = this.#newName();
    renameSync(from, `${this.#outside.path}/${name}`);
    this.#place(directory, this.#outside, name);
    this.#done.push(["out", from, true]);
    // What happens out there must not be told: facron may still have it for inside.
    const file = this.#newName();
    this.#put(`${directory.path}/${file}`, "w");
    directory.files.set(file, ++this.#files);
    this.#made.push({ file: this.#files, path: `${directory.path}/${file}` });
  }

  #moveIn(): void {
    const [directory] = this.#outside.directories.values();
    if (directory === undefined) return;
    // The kernel has no record of a move from outside into a directory that is not watched yet.
    const to = this.#inside;
    const name = this.#random.pick(directoryNames);
    if (to.directories.has(name)) return;
    renameSync(directory.path, `${to.path}/${name}`);
    this.#place(directory, to, name);
    this.#done.push(["in", directory.path, true]);
    for (const one of directory.all) this.#back.push(...one.files.values());
  }

  #place(directory: Directory, to: Directory, name: string): void {
    directory.parent!.directories.delete(directory.name);
    directory.parent = to;
    directory.name = name;
    to.directories.set(name, directory);
    if (!directory.isIn(this.#inside)) {
      for (const one of directory.all) one.isKnown = false;
      return;
    }
    for (const one of directory.all) {
      this.#moved.push({ file: null, path: one.path });
      for (const [file, number] of one.files) {
        this.#moved.push({ file: number, path: `${one.path}/${file}` });
      }
    }
  }

  /** Something was done to a file, in these directories. */
  #doneIn(directories: readonly Directory[], done: Done): void {
    if (directories.every(({ isKnown }) => isKnown)) this.#sure.push(this.#done.length);
    this.#done.push(done);
  }

  #anyDirectory(): Directory {
    return this.#random.pick(this.#inside.all);
  }

  #anyFile(): { directory: Directory; name: string; file: number; path: string } | null {
    const directories = this.#inside.all.filter(({ files }) => files.size > 0);
    if (directories.length === 0) return null;
    const directory = this.#random.pick(directories);
    const [name, file] = this.#random.pick([...directory.files]);
    return { directory, name, file, path: `${directory.path}/${name}` };
  }

  /** Never twice: a file is known by it. */
  #newName(): string {
    return `${this.#name}${++this.#names}`;
  }
}

if (import.meta.main) {
  const [seed, name, inside, outside] = process.argv.slice(2);
  const writer = new Writer(seededRandom(Number(seed)), name!, inside!, outside!);
  for await (const line of console) {
    if (line === "sync") writer.sync();
    const answer: Batch | Left | null =
      line === "sync" ? null : line === "end" ? writer.left() : writer.batch();
    console.log(JSON.stringify(answer));
    if (line === "end") break;
  }
}
