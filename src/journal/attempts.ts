/** What is done with the journal's file: it may fail, which is said, and said again only after a while. */
import { quoted } from "../log.ts";
import { faultText, isJournalFault } from "./fault.ts";

/** How long one word about a journal that cannot be written serves. */
const silenceMs = 60_000;

export class Attempts {
  readonly #file: string;
  readonly #say: (level: "info" | "error", text: string) => void;
  #silentUntil = 0;
  #isFailing = false;

  constructor(file: string, say: (level: "info" | "error", text: string) => void) {
    this.#file = file;
    this.#say = say;
  }

  /** @returns whether it was done; what is wrong with the file is said, and all else is thrown */
  attempt(doing: "read" | "write", action: () => void): boolean {
    try {
      action();
    } catch (error) {
      if (!isJournalFault(error)) throw error;
      this.#sayFault(faultText(doing, this.#file, error));
      return false;
    }
    if (this.#isFailing && doing === "write") this.#sayRecovery();
    return true;
  }

  #sayFault(text: string): void {
    this.#isFailing = true;
    const now = performance.now();
    if (now < this.#silentUntil) return;
    this.#silentUntil = now + silenceMs;
    const effect = "commands are run all the same, but not again if facron is killed meanwhile";
    this.#say("error", `${text}; ${effect}`);
  }

  #sayRecovery(): void {
    this.#isFailing = false;
    this.#silentUntil = 0;
    this.#say("info", `The journal ${quoted(this.#file)} is written again`);
  }
}
