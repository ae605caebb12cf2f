/** A state directory that is fit for a journal, and the journal's lock: one facron at a time runs it. */
import {
  closeSync,
  constants,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { lockFile } from "../../ffi/file-lock.ts";
import { quoted } from "../log.ts";
import { faultText, JournalError } from "./fault.ts";
import type { JournalPlace } from "./place.ts";

const writableByOthers = 0o022;

/**
 * A command that facron was just starting when it was killed has the lock until its execve(2), which
 * closes it: some milliseconds.
 */
const patienceMs = 2_000;
const pauseMs = 10;

/**
 * Held until the program ends, however it ends.
 *
 * @throws {JournalError}
 */
export function claimJournal(place: JournalPlace): Disposable {
  try {
    makeDirectory(place.directory);
    checkDirectory(place.directory);
    return lock(place);
  } catch (error) {
    if (error instanceof JournalError) throw error;
    throw new JournalError(faultText("open", place.file, error));
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST" && code !== "ENOTDIR") throw error;
    const what = code === "EEXIST" ? "it is a file" : "what stands before its name is no directory";
    throw new JournalError(
      `Cannot use the state directory ${quoted(directory)}: ${what}; set another state_dir`,
    );
  }
}

/** Who could put another journal there would say what we run. */
function checkDirectory(directory: string): void {
  const { uid, mode } = statSync(directory);
  const cure = `chown ${process.geteuid!()} ${directory} && chmod 700 ${directory}`;
  if (uid !== process.geteuid!() && uid !== 0)
    throw new JournalError(
      `Cannot use the state directory ${quoted(directory)}: it belongs to another user (uid ${uid}); ${cure}`,
    );
  if ((mode & writableByOthers) !== 0)
    throw new JournalError(
      `Cannot use the state directory ${quoted(directory)}: others can write to it; chmod 700 ${directory}`,
    );
}

function lock({ lock: path, configuration, file }: JournalPlace): Disposable {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  if (!lockSoon(fd)) {
    const pid = readFileSync(fd, "utf8").trim();
    closeSync(fd);
    throw new JournalError(
      `Cannot open the journal ${quoted(file)}: another facron runs ${configuration.map(quoted).join(" and ")} (pid ${pid}); end that one, or set another state_dir`,
    );
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`, 0);
  return { [Symbol.dispose]: () => closeSync(fd) };
}

/** The journal's thread has nothing else to do by then. @returns whether it is locked */
function lockSoon(fd: number): boolean {
  const deadline = performance.now() + patienceMs;
  while (!lockFile(fd)) {
    if (performance.now() >= deadline) return false;
    Bun.sleepSync(pauseMs);
  }
  return true;
}
