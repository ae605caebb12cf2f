/** Has the kernel tell of processes while commands act, whoever started them, and not a moment longer. */

/** What tells the other threads of processes. */
export interface ProcessEvents {
  /** From when this returns on, no fork goes untold. */
  listen(): void;
  rest(): void;
}

export interface FamilyWatchOptions {
  readonly events: ProcessEvents;
  /** Asks the reader to read what is queued by now; `then` comes when it has. */
  readonly readUp: (then: () => void) => void;
  /** Processes of commands that run, as of the last `then`. */
  readonly members: () => number;
  /** setTimeout(3): it must not keep the program running. */
  readonly later?: (ms: number, then: () => void) => void;
}

/** The next command often comes soon: to listen costs a little, and the machine's forks more. */
const lingerMs = 1_000;

/** Told of each command, whether it is run for a rule or for a gate. */
export interface CommandFamilies {
  /** To be called right before a command is started. */
  begin(): void;
  /** A command has ended, or could not be started. */
  end(): void;
}

export class FamilyWatch implements CommandFamilies {
  readonly #options: Required<FamilyWatchOptions>;
  #running = 0;
  #listens = false;
  /** A look at whether anything still acts is on its way. */
  #looksLater = false;

  constructor(options: FamilyWatchOptions) {
    const later = (ms: number, then: () => void): void => void setTimeout(then, ms).unref();
    this.#options = { later, ...options };
  }

  begin(): void {
    this.#running++;
    if (this.#listens) return;
    this.#listens = true;
    this.#options.events.listen();
  }

  end(): void {
    this.#running--;
    if (this.#running === 0) this.#lookLater();
  }

  #lookLater(): void {
    if (this.#looksLater) return;
    this.#looksLater = true;
    this.#options.later(lingerMs, () => {
      if (this.#running > 0) return void (this.#looksLater = false);
      this.#options.readUp(() => {
        this.#looksLater = false;
        if (this.#running > 0) return;
        // What runs on in the background is a command's still, and so is all that it will start.
        if (this.#options.members() > 0) return this.#lookLater();
        this.#listens = false;
        this.#options.events.rest();
      });
    });
  }
}
