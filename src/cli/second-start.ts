/** Before anything else: start again with a runtime that is quiet while there is nothing to do. */
import { utf8 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { becomeProgram, StringVector } from "../../ffi/process.ts";
import { commandLine, environmentForSecondStart } from "../environment.ts";

/** Costs 5 ms, keeps pid, words and descriptors. Where it cannot be done, nothing is lost but quiet. */
export function startAgainQuietly(): void {
  const environment = environmentForSecondStart();
  if (environment === null || !Bun.isStandaloneExecutable) return;
  const program = utf8(process.execPath);
  const words = new StringVector().set(commandLine());
  try {
    becomeProgram(program, words, new StringVector().set(environment));
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error; // the binary is gone: go on as we are
  }
}
