/** Answers on stdout, whole: process.stdout would lose what a pipe does not take at once. */
import { utf8 } from "../../ffi/bytes.ts";
import { Writer } from "../output/writer.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";

export function print(text: string): ExitCode {
  const stdout = new Writer(1);
  stdout.write(utf8(text));
  stdout.flushWithin(Number.POSITIVE_INFINITY);
  return exitCode.ok;
}
