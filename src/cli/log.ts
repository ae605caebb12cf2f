/** The log: consola's levels, our lines, on stderr or, for a daemon without one, in syslog. */
import { isatty } from "node:tty";
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

/** Back to the start of the line, and nothing on it (ECMA-48: CR, EL). */
const clearLine = "\r\x1b[K";

/** `facron: warning: text` lines on stderr; never waits for its reader. */
export class StderrLog implements Log {
  readonly #writer = new Writer(stderrFd);
  readonly #consola = createConsola({
    level: 3,
    reporters: [this.#reporter()],
    throttle: 0, // a hundred times the same line is a hundred events, not one
  });
  #pending = "";
  /** Below all lines; "" if there is none. */
  #status = "";
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

  /** Whether somebody may look at a line that changes. */
  get isTerminal(): boolean {
    return isatty(stderrFd);
  }

  /** A line that the next one takes the place of, for a terminal; null: it goes. */
  showStatus(text: string | null): void {
    if (this.#usesSyslog || (text === null && this.#status === "")) return;
    this.#writePending();
    // Whatever else comes to the terminal, an event above all, takes its place.
    this.#status = text === null ? "" : `${text}\r`;
    this.#writer.write(utf8(`${clearLine}${this.#status}`));
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
      const isCovered = this.#status !== "" && text !== "";
      this.#writer.write(utf8(isCovered ? `${clearLine}${text}${this.#status}` : text));
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
