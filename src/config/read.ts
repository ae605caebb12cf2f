/** The bytes of a configuration file, and a sentence for each way in which they can't be had. */
import { closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { resolve } from "./odd-paths.ts";
import { pathBytes } from "../../ffi/bytes.ts";
import { ConfigError } from "../errors.ts";
import { quoted } from "../log.ts";
import { problemOfFile } from "./span.ts";

/** Far more than any table: a larger file was given by mistake. */
const configurationBytesMax = 16 * 1024 * 1024;

/**
 * All of `file`: a regular file, /dev/null, or a descriptor of ours.
 *
 * Anything else could make us wait for ever, and opening it can have effects of its own.
 *
 * @throws {ConfigError} one problem, about the file as a whole
 */
export function readConfiguration(file: string, cwd: string): Uint8Array {
  try {
    const descriptor = descriptorIn(file);
    return descriptor === null ? readNamed(resolve(cwd, file)) : readDescriptor(descriptor);
  } catch (error) {
    const message = `Cannot read ${quoted(file)}: ${reasonFor(error)}`;
    throw new ConfigError([problemOfFile(file, message)]);
  }
}

/**
 * "/dev/stdin" and "/dev/fd/63" are read as the descriptors that they are: whoever passes one means
 * us to wait for it (`facron -c <(generate)`), and a socket could not be opened by that name.
 */
function descriptorIn(file: string): number | null {
  if (file === "/dev/stdin") return 0;
  const match = /^\/dev\/fd\/(\d{1,6})$/.exec(file);
  return match === null ? null : Number(match[1]);
}

const usedUp = new Set<number>();

/** A pipe is empty after the first time: a reload that finds nothing must not watch nothing. */
function readDescriptor(fd: number): Uint8Array {
  if (usedUp.has(fd))
    throw new Refusal("it was read before; start facron with a file to reload it");
  usedUp.add(fd);
  return readAll(fd, readPatiently);
}

function readNamed(path: string): Uint8Array {
  const name = Buffer.from(pathBytes(path));
  const status = statSync(name);
  if (status.isDirectory()) throw new Refusal("it is a directory; name a file in it");
  if (!status.isFile() && !isNullDevice(status.rdev)) {
    throw new Refusal("it is not a regular file; name one, or /dev/stdin");
  }
  // Nonblocking, should it have become a FIFO in between: that reads as empty, or as an error.
  const fd = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return readAll(fd, readSync);
  } finally {
    closeSync(fd);
  }
}

/** /dev/null, the usual way to say "no configuration": 1:3 on every Linux (admin-guide/devices.txt). */
function isNullDevice(rdev: number): boolean {
  return rdev === ((1 << 8) | 3);
}

type Read = (fd: number, chunk: Uint8Array) => number;

function readAll(fd: number, read: Read): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const chunk = new Uint8Array(64 * 1024);
    const length = read(fd, chunk);
    if (length === 0) return Buffer.concat(chunks, total);
    total += length;
    if (total > configurationBytesMax) throw new Refusal(tooLarge);
    chunks.push(chunk.subarray(0, length));
  }
}

const tooLarge = `it has more than ${configurationBytesMax / 1024 / 1024} MiB; name a configuration file`;

/** Another program can have made our stdin nonblocking: then we wait all the same. */
function readPatiently(fd: number, chunk: Uint8Array): number {
  for (;;) {
    try {
      return readSync(fd, chunk);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      sleep(10);
    }
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Why a file is not read, although it could be. */
class Refusal extends Error {}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file; create it, or name another with --config",
  ENOTDIR: "a part of the path is not a directory; correct the path",
  EACCES: "permission denied; run as a user who may read it, or change its mode",
  ELOOP: "too many symbolic links; correct the link",
  ENAMETOOLONG: "the name is too long; correct the path",
  EBADF: "no such descriptor; redirect one to it",
  EISDIR: "it is a directory; name a file in it",
};

function reasonFor(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  const code = codeOf(error);
  return reasons[code] ?? `${code}; name a file that can be read`;
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return typeof code === "string" ? code : String(error);
}
