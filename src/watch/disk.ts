/** What filters ask of the disk: kinds and sizes of files, and ignore files as they are now. */
import { cString, latin1 } from "../../ffi/bytes.ts";
import { S_IFDIR, S_IFLNK, S_IFREG } from "../../ffi/files.ts";
import type { Log } from "../log.ts";
import type { Disk, FileFacts, FileType, IgnoreRulesNow } from "../rule/subject.ts";
import { IgnoreFile } from "./ignore-file.ts";
import { statusOrNull } from "./own-outputs.ts";

const types = new Map<number, FileType>([
  [S_IFREG, "file"],
  [S_IFDIR, "dir"],
  [S_IFLNK, "symlink"],
]);

/** Ignore files that are known by their path, there or not; beyond that all are looked for anew. */
const filesMax = 65_536;

export class RealDisk implements Disk {
  readonly #log: Pick<Log, "warn">;
  readonly #files = new Map<string, IgnoreFile>();
  /** Counts up: an ignore file is looked at once in each moment in which it is asked. */
  moment = 0;

  constructor(log: Pick<Log, "warn">) {
    this.#log = log;
  }

  facts(path: Uint8Array, options: { readonly followSymlink: boolean }): FileFacts | null {
    const status = statusOrNull(cString(path), options);
    return status === null ? null : { type: types.get(status.kind) ?? "other", size: status.size };
  }

  ignoreRules(path: Uint8Array, { followSymlink }: { followSymlink: boolean }): IgnoreRulesNow {
    const key = `${followSymlink} ${latin1(path)}`;
    const known = this.#files.get(key);
    if (known !== undefined) return known;
    if (this.#files.size >= filesMax) this.#files.clear();
    const file = new IgnoreFile(path, { followSymlink, clock: this, log: this.#log });
    this.#files.set(key, file);
    return file;
  }
}
