/** The end before the start: what facron says when it may open too few files even to read a configuration. */
import { openFilesText } from "../open-files.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { StderrLog } from "./log.ts";

export function tooFewFiles(): ExitCode {
  const log = new StderrLog();
  log.error(`Cannot start: ${openFilesText}`);
  log.close();
  return exitCode.failed;
}
