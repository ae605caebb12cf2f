/**
 * The writer of the proofs: one kind of work, again and again, as fast as system calls go.
 *
 *     bun writer.ts KIND DIRECTORY
 *
 * It does as many rounds as each line on stdin says and answers with how many it has done so far. Rounds
 * are numbered from 0, and file names that stand for a round carry its number.
 */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";

type Round = (directory: string, n: number) => void;

/** Work by name; what each leaves behind stands in the tests. */
const kinds = {
  /** mkdir -p N/a/b/c/d/e && echo > N/a/b/c/d/e/f */
  deep: (directory, n) => makeDeep(`${directory}/${n}`),

  /** The same, and rm -r N at once. */
  "deep-removed": (directory, n) => {
    makeDeep(`${directory}/${n}`);
    removeDeep(`${directory}/${n}`);
  },

  /** mkdir q; echo > q/f; rm -r q: the same name every time. */
  "short-lived": (directory) => {
    mkdirSync(`${directory}/q`);
    write(`${directory}/q/f`, "w");
    unlinkSync(`${directory}/q/f`);
    rmdirSync(`${directory}/q`);
  },

  files: (directory, n) => write(`${directory}/f${n}`, "w"),

  /** An editor: a temporary file beside it, fsync, rename over. */
  save: (directory) => {
    write(`${directory}/file.tmp`, "w", fsyncSync);
    renameSync(`${directory}/file.tmp`, `${directory}/file`);
  },

  /** Kubernetes' AtomicWriter: a directory of the round, and the symbolic link `..data` swapped to it. */
  swap: (directory, n) => {
    mkdirSync(`${directory}/..${n + 1}`);
    write(`${directory}/..${n + 1}/file`, "w");
    symlinkSync(`..${n + 1}`, `${directory}/..data_tmp`);
    renameSync(`${directory}/..data_tmp`, `${directory}/..data`);
    unlinkSync(`${directory}/..${n}/file`);
    rmdirSync(`${directory}/..${n}`);
  },

  /** logrotate: rename away, create anew. */
  rotate: (directory) => {
    renameSync(`${directory}/file`, `${directory}/file.1`);
    write(`${directory}/file`, "wx");
  },

  /** logrotate's copytruncate, and its program writes on. */
  copytruncate: (directory) => {
    write(`${directory}/file.1`, "w");
    const fd = openSync(`${directory}/file`, "r+");
    ftruncateSync(fd, 0);
    writeSync(fd, "text\n");
    closeSync(fd);
  },
} satisfies Record<string, Round>;

export type Kind = keyof typeof kinds;

function makeDeep(top: string): void {
  let path = top;
  mkdirSync(path);
  for (const name of ["a", "b", "c", "d", "e"]) mkdirSync((path += `/${name}`));
  write(`${path}/f`, "w");
}

function removeDeep(top: string): void {
  unlinkSync(`${top}/a/b/c/d/e/f`);
  for (const below of ["/a/b/c/d/e", "/a/b/c/d", "/a/b/c", "/a/b", "/a", ""])
    rmdirSync(top + below);
}

function write(path: string, flags: string, beforeClose: (fd: number) => void = () => {}): void {
  const fd = openSync(path, flags);
  writeSync(fd, "text\n");
  beforeClose(fd);
  closeSync(fd);
}

if (import.meta.main) {
  const [kind, directory] = process.argv.slice(2);
  const round: Round = kinds[kind as Kind];
  let done = 0;
  for await (const line of console) {
    for (let rounds = Number(line); rounds > 0; rounds--) round(directory!, done++);
    console.log(done);
  }
}
