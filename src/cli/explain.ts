/** Stub. */
import type { Context } from "./context.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";

export function explain(_context: Context): ExitCode {
  return exitCode.failed;
}
