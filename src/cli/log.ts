/** The log: consola's levels, our lines, on stderr or, for a daemon without one, in syslog. */
import { type ConsolaReporter, createConsola } from "consola/core";
import { utf8 } from "../../ffi/bytes.ts";
import { openSyslog, syslogLine, type SyslogPriority } from "../../ffi/syslog.ts";
import type { Log } from "../log.ts";
import { Writer } from "../output/writer.ts";

const stderrFd = 2;

/** What may wait for a stderr that nobody reads; more is dropped and counted. */
const backlogBytesMax = 1024 * 1024;

/** While something waits, and only then, it is tried again after this time. */
const retryMs = 100;

const prefixes: Readonly<Record<string, string>> = {
  info: "",
  warn: "warning: ",
  error: "error: ",
};
const priorities: Readonly<Record<string, SyslogPriority>> = { info: 6, warn: 4, error: 3 };

/** `facron: warning: text` lines on stderr; never waits for its reader. */
export class StderrLog implements Log {
  readonly #writer = new Writer(stderrFd);
  readonly #consola = createConsola({
    level: 3,
    reporters: [this.#reporter()],
    throttle: 0, // a hundred times the same line is a hundred events, not one
  });
  #pending = "";
  #dropped = 0;
  #retry: Timer | null = null;
  #usesSyslog = false;

  info(text: string): void {
    this.#consola.info(text);
  }

  warn(text: string): void {
    this.#consola.warn(text);
  }

  error(text: string): void {
    this.#consola.error(text);
  }

  /** From now on to syslog(3): the daemon has no stderr to speak of. */
  switchToSyslog(): void {
    this.close();
    this.#writer.close();
    openSyslog("facron");
    this.#usesSyslog = true;
  }

  /** Write what waits, for a moment: called before the program ends. */
  close(): void {
    this.#writePending();
    this.#writer.flushWithin(retryMs);
  }

  #reporter(): ConsolaReporter {
    return { log: ({ type, args }) => this.#write(type, String(args[0])) };
  }

  #write(type: string, text: string): void {
    if (this.#usesSyslog) return syslogLine(priorities[type] ?? 6, text.replaceAll("\n", " "));
    this.#writeLine(`facron: ${prefixes[type] ?? ""}${text}\n`);
  }

  /** Lines of one turn of the event loop go out in one write: commands end in hundreds. */
  #writeLine(line: string): void {
    if (this.#pending === "") setImmediate(() => this.#writePending());
    this.#pending += line;
  }

  #writePending(): void {
    const text = this.#pending;
    this.#pending = "";
    if (this.#writer.backlogBytes > backlogBytesMax) {
      this.#dropped += text.split("\n").length - 1;
    } else {
      this.#sayDropped();
      this.#writer.write(utf8(text));
    }
    if (this.#writer.backlogBytes > 0) this.#retry ??= setTimeout(() => this.#tryAgain(), retryMs);
  }

  #tryAgain(): void {
    this.#retry = null;
    this.#writer.flush();
    if (this.#writer.backlogBytes > 0) this.#retry = setTimeout(() => this.#tryAgain(), retryMs);
    else this.#sayDropped();
  }

  #sayDropped(): void {
    if (this.#dropped === 0) return;
    const line = `facron: warning: ${this.#dropped} log lines were dropped: stderr was not read\n`;
    this.#dropped = 0;
    this.#writer.write(utf8(line));
  }
}
