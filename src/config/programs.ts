/** Whether programs can be run, as far as that shows before they are. */
import { accessSync, constants, statSync, type Stats } from "node:fs";
import { latin1, pathBytes } from "../../ffi/bytes.ts";
import { absolutePath } from "./watch-path.ts";

/** Remembers its answers: a table names the same few programs again and again. */
export class Programs {
  readonly #cwd: string;
  readonly #doubts = new Map<string, string | null>();

  /** @param cwd where a relative program starts */
  constructor(cwd: string) {
    this.#cwd = latin1(pathBytes(cwd));
  }

  /** Why `program` can't be run as things are, and the cure; null if it seems it can. */
  doubtAbout(program: string): string | null {
    const known = this.#doubts.get(program);
    if (known !== undefined) return known;
    const doubt = doubtAbout(absolutePath(program, this.#cwd), program);
    this.#doubts.set(program, doubt);
    return doubt;
  }
}

function doubtAbout(path: Uint8Array, program: string): string | null {
  const status = statusOf(path);
  if (status === null) return `no such file; ${cureFor(program)}`;
  if (status.isDirectory()) return "it is a directory; write the path of a program";
  return mayExecute(path) ? null : "it is not executable; run chmod +x on it";
}

function cureFor(program: string): string {
  if (program.includes("/")) return "it fails until it is there";
  return "PATH is not searched, write the absolute path";
}

/** Null also when a directory on the way may not be searched: what can't be seen can't be run. */
function statusOf(path: Uint8Array): Stats | null {
  try {
    return statSync(Buffer.from(path), { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

function mayExecute(path: Uint8Array): boolean {
  try {
    accessSync(Buffer.from(path), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
