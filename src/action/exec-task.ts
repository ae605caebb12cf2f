/** What the helper is to do, as bytes: facron writes them into a file in memory, the helper reads them. */
import { textOrNull, utf8 } from "../../ffi/bytes.ts";
import type { Identity } from "../../ffi/credentials.ts";

export interface ExecTask extends ExecSettings {
  /** What the user has to be able to read, or empty. */
  readonly place: Uint8Array;
  /** Of the program: it may differ from `argv[0]`. */
  readonly path: Uint8Array;
  readonly argv: readonly Uint8Array[];
  /** `NAME=value` entries. */
  readonly environment: readonly Uint8Array[];
}

export interface ExecSettings {
  /** Null: as it is. */
  readonly identity: Identity | null;
  /** RLIMIT_NOFILE of the command: the helper's own was raised by Bun. */
  readonly softFileLimit: number;
  /** Null: facron's own. */
  readonly cwd: string | null;
  readonly umask: number | null;
  readonly nice: number | null;
  /** Directories of cgroups to move to. */
  readonly cgroups: readonly string[];
}

/** Strings of C, so that NUL divides them: the settings as JSON, and then bytes as they are. */
export function encodeTask(task: ExecTask): Uint8Array {
  const { place, path, argv, environment, ...rest } = task;
  const { identity, softFileLimit, cwd, umask, nice, cgroups } = rest;
  const settings: ExecSettings = { identity, softFileLimit, cwd, umask, nice, cgroups };
  const head = utf8(JSON.stringify({ ...settings, argc: argv.length }));
  const strings = [head, place, path, ...argv, ...environment];
  const bytes = new Uint8Array(strings.reduce((sum, { length }) => sum + length + 1, 0));
  let at = 0;
  for (const string of strings) {
    bytes.set(string, at);
    at += string.length + 1;
  }
  return bytes;
}

/** @returns null if that is no task */
export function decodeTask(bytes: Uint8Array): ExecTask | null {
  const [head, place, path, ...strings] = splitAtNul(bytes);
  if (head === undefined || place === undefined || path === undefined) return null;
  const { argc, ...settings }: ExecSettings & { argc: number } = JSON.parse(textOrNull(head)!);
  return {
    ...settings,
    place,
    path,
    argv: strings.slice(0, argc),
    environment: strings.slice(argc),
  };
}

function splitAtNul(bytes: Uint8Array): Uint8Array[] {
  const pieces = [];
  for (let start = 0, end; (end = bytes.indexOf(0, start)) >= 0; start = end + 1) {
    pieces.push(bytes.subarray(start, end));
  }
  return pieces;
}
