/** One guard process: how it is started and given the group. */
import { cString, utf8 } from "../../ffi/bytes.ts";
import { openSocketPair, sendDescriptors } from "../../ffi/descriptor-passing.ts";
import { type Fd, O, openFd, readNow, setBlocking } from "../../ffi/fd.ts";
import { openPidfd } from "../../ffi/pidfd.ts";
import { StringVector } from "../../ffi/process.ts";
import { startProcess } from "../action/child-process.ts";
import type { Ending } from "../action/ending.ts";
import { givenEnvironment } from "../environment.ts";
import { guardSays, guardWord } from "../gate/guard-process.ts";

export interface GuardStart {
  /** How facron starts itself. */
  readonly self: readonly string[];
  /** The permission group. Each child closes it before execve(2) (`closeInChildren`). */
  readonly groupFd: number;
  /** Of `openPulseMemory`. */
  readonly pulseFd: number;
}

/** What runs as us, also after an upgrade has replaced or removed it (proc_pid_exe(5)). */
const ownExecutable = utf8("/proc/self/exe");

/**
 * Keep a process small that does nothing: no compilers but the first (FFI is made by that), no
 * collections of garbage by the clock.
 */
const settings = [
  "BUN_GC_TIMER_INTERVAL=3600001",
  "BUN_JSC_useDFGJIT=0",
  "BUN_JSC_useConcurrentJIT=0",
  "BUN_JSC_forceRAMSize=67108863",
];

/** From one look at what it has said to the next, while it starts. */
const listenMs = 5;

/** It takes 50 ms. */
const startMsMax = 10_000;

export class GuardProcess {
  readonly pid: number;
  readonly #socket: Fd;
  #hasEnded = false;

  /**
   * @param onEnd called once
   * @throws {SyscallError} what kept it from starting: EMFILE, ENOMEM, EAGAIN, ENOENT, ...
   */
  constructor({ self }: GuardStart, onEnd: (ending: Ending) => void) {
    const [ours, its] = openSocketPair();
    using _itsEnd = its;
    using nowhere = openFd(cString(utf8("/dev/null")), O.WRONLY);
    setBlocking(ours.number, false);
    this.#socket = ours;
    const program = {
      path: ownExecutable,
      argv: new StringVector().set([...self, guardWord].map(utf8)),
      environment: new StringVector().set([...givenEnvironment(), ...settings.map(utf8)]),
      // No stderr: one that nobody reads would stop it.
      spawnPlace: { stdinFd: its.number, outputFd: nowhere.number, cwd: null, isSession: true },
    };
    try {
      this.pid = startProcess(program, (ending) => {
        this.#hasEnded = true;
        ours.close();
        onEnd(ending);
      });
    } catch (error) {
      ours.close();
      throw error;
    }
  }

  /**
   * Give it the group once it is ready.
   *
   * Not before: as long as it waits in execve(2), for a verdict perhaps, or loads what it needs, it would
   * keep the group open after facron's end. And through a socket, as it needs no more rights than to have
   * one: pidfd_getfd(2) is refused by Yama and in containers.
   *
   * @returns false if it does not watch over it after ten seconds, or has ended
   * @throws {SyscallError} EPIPE if it has just ended; EMFILE
   */
  async give({ groupFd, pulseFd }: GuardStart): Promise<boolean> {
    if (!(await this.#says(guardSays.ready))) return false;
    using facron = openPidfd(process.pid);
    sendDescriptors(this.#socket.number, [groupFd, facron.number, pulseFd]);
    return this.#says(guardSays.watching);
  }

  kill(): void {
    if (!this.#hasEnded) process.kill(this.pid, "SIGKILL");
  }

  async #says(word: Uint8Array): Promise<boolean> {
    const heard = new Uint8Array(1);
    for (const end = performance.now() + startMsMax; performance.now() < end;) {
      if (this.#hasEnded) return false;
      const length = readNow(this.#socket.number, heard);
      if (length === 1) return heard[0] === word[0];
      if (length === 0) return false;
      await Bun.sleep(listenMs);
    }
    return false;
  }
}
