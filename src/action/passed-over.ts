/** Says in the log, now and then, what was not followed as a command of ours has done it. */
import { fromLatin1 } from "../../ffi/bytes.ts";
import { type Log, quoted } from "../log.ts";

/**
 * "known": its process descends from a command. "meanwhile": who did it is not known, and a command was
 * running for that path.
 */
export type WhyOwn = "known" | "meanwhile";

export interface PassedOverOptions {
  readonly log: Log;
  /** setTimeout(3): it must not keep the program running. */
  readonly later: (ms: number, then: () => void) => void;
}

/** One line of a rule serves so long. */
const silenceMs = 60_000;

interface Count {
  events: number;
  path: string;
}

export class PassedOver {
  readonly #options: PassedOverOptions;
  /** By rule and reason: since the last line, which was less than a minute ago. */
  readonly #counts = new Map<string, Count>();

  constructor(options: PassedOverOptions) {
    this.#options = options;
  }

  /** @param path latin1 */
  note(rule: string, path: string, why: WhyOwn): void {
    const key = `${why} ${rule}`;
    const count = this.#counts.get(key);
    if (count !== undefined) {
      count.events++;
      count.path = path;
      return;
    }
    this.#say(rule, why, { events: 1, path });
    this.#counts.set(key, { events: 0, path });
    this.#options.later(silenceMs, () => this.#sayRest(key, rule, why));
  }

  #sayRest(key: string, rule: string, why: WhyOwn): void {
    const count = this.#counts.get(key)!;
    this.#counts.delete(key);
    if (count.events > 0) this.#say(rule, why, count);
  }

  #say(rule: string, why: WhyOwn, { events, path }: Count): void {
    const many = events === 1 ? "1 event" : `${events} events, the last`;
    const what = `rule ${quoted(rule)}: passed over ${many} of ${quoted(fromLatin1(path))}`;
    const { log } = this.#options;
    if (why === "known") {
      log.info(`${what}: its own command did it; loop = "allow" runs it all the same`);
    } else {
      log.warn(
        `${what}: its command was running for that path, and who did it is not known: fanotify as root knows it, loop = "allow" runs it all the same`,
      );
    }
  }
}
