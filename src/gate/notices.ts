/** What is said of gates that decide without having asked: at once, and then once a minute, with how many more. */
import { type Log, quoted } from "../log.ts";
import type { Verdict } from "../rule/gate.ts";

/** Why no command could be asked, and `on_error` decided. */
export type WhyUnasked = "no-place" | "no-name" | "outside";

export interface Unasked {
  readonly gate: string;
  readonly verdict: Verdict;
  readonly path: Uint8Array;
  readonly pid: number;
}

const silenceMs = 60_000;

interface Silence {
  /** performance.now() */
  until: number;
  more: number;
}

export class Notices {
  readonly #log: Log;
  readonly #pendingMax: number;
  readonly #silences: Record<WhyUnasked, Silence> = {
    "no-place": { until: -Infinity, more: 0 },
    "no-name": { until: -Infinity, more: 0 },
    outside: { until: -Infinity, more: 0 },
  };

  constructor(log: Log, pendingMax: number) {
    this.#log = log;
    this.#pendingMax = pendingMax;
  }

  /** @param now performance.now() */
  unasked(why: WhyUnasked, one: Unasked, now: number): void {
    const silence = this.#silences[why];
    if (now < silence.until) {
      silence.more++;
      return;
    }
    const more = silence.more === 0 ? "" : `; ${silence.more} more since this was last said`;
    this.#silences[why] = { until: now + silenceMs, more: 0 };
    this.#log.warn(`${this.#sentence(why, one)}${more}`);
  }

  #sentence(why: WhyUnasked, { gate, verdict, path, pid }: Unasked): string {
    const decided = `Gate ${quoted(gate)}: no command was asked about ${quoted(path)}, and on_error decided "${verdict}": `;
    switch (why) {
      case "no-place":
        return `${decided}${this.#pendingMax} processes wait for commands already, and no more may; make the commands faster, or raise facron's limit of open files`;
      case "no-name":
        return `${decided}process ${pid} has opened it by a name that facron cannot tell`;
      case "outside":
        return `${decided}whoever opened it is outside of facron's pid namespace; run facron in that of the host`;
    }
  }
}
