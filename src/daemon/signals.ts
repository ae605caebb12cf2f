/** Signals: USR1 reloads, USR2 asks how things are, TERM and INT end; HUP reloads a daemon and ends a command at a terminal. */

export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

export interface SignalHandlers {
  readonly reload: () => void;
  /** Say in the log what is going on. */
  readonly status: () => void;
  readonly stop: (signal: StopSignal) => void;
  /** Whether there is a configuration to reload when the terminal is gone. */
  readonly hangupReloads: boolean;
}

/** Listens from its making on: a signal before `listen` is not lost and does not kill. */
export class Signals {
  #handlers: SignalHandlers | null = null;
  #early: NodeJS.Signals[] = [];

  constructor() {
    for (const signal of ["SIGUSR1", "SIGUSR2", "SIGHUP", "SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => this.#take(signal));
    }
  }

  listen(handlers: SignalHandlers): void {
    this.#handlers = handlers;
    for (const signal of this.#early.splice(0)) this.#take(signal);
  }

  #take(signal: NodeJS.Signals): void {
    const handlers = this.#handlers;
    if (handlers === null) this.#early.push(signal);
    else if (signal === "SIGUSR2") handlers.status();
    else if (signal === "SIGTERM" || signal === "SIGINT") handlers.stop(signal);
    else if (signal === "SIGHUP" && !handlers.hangupReloads) handlers.stop(signal);
    else handlers.reload();
  }
}

/** End as the signal would have ended us, so that the shell or the supervisor sees it. */
export function raiseAgain(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
