/** What commands inherit from facron besides descriptors: as facron was started, not as Bun left it. */
import { readdirSync } from "node:fs";
import { setCloseOnExec } from "../../ffi/fd.ts";
import { libc } from "../../ffi/libc.ts";

/**
 * Undo what commands would inherit of us, of Bun or of a careless parent. To be called once, before
 * the first command, on the thread that starts them.
 */
export function prepareForCommands(): void {
  resetSignals(SIGCHLD);
  for (const fd of openDescriptors()) if (fd > 2) setCloseOnExec(fd);
}

const SIGCHLD = 17;
const SIG_DFL = 0;
const SIG_SETMASK = 2;

/** sigset_t of glibc and musl: 1024 bits. */
const noSignals = new Uint8Array(128);

/**
 * Signals that are ignored get their default back, and none is blocked any more.
 *
 * A parent can leave both behind. With SIGCHLD ignored children vanish without a status; of blocked
 * signals facron would not hear. (Commands get every signal at its default, see posixSpawn.)
 */
export function resetSignals(...ignored: readonly number[]): void {
  for (const signal of ignored) libc.signal(signal, SIG_DFL);
  libc.sigprocmask(SIG_SETMASK, noSignals, null);
}

/** What a shell or a supervisor left open for us is not for our commands. */
function openDescriptors(): number[] {
  return readdirSync("/proc/self/fd").map(Number);
}
