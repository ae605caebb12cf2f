/** A command that has been started and has not ended: what the log says of it, and its group. */
import { libc } from "../../ffi/libc.ts";
import { type Log, quoted } from "../log.ts";
import type { Rule } from "../rule/rule.ts";
import { type Ending, endingText } from "./ending.ts";

/** Text only: it keeps no process object, and no view of a trigger. */
export interface Running {
  /** Also its process group; 0 until it has been started. */
  pid: number;
  /** `rule "import"`, as its log lines begin. */
  readonly rule: string;
  /** Quoted. */
  readonly program: string;
  /** performance.now() */
  readonly startedAt: number;
}

export function runningOf(rule: Rule, argv: readonly Uint8Array[]): Running {
  return {
    pid: 0,
    rule: ruleText(rule),
    program: quoted(argv[0] ?? ""),
    startedAt: performance.now(),
  };
}

const texts = new WeakMap<Rule, string>();

/** Quoting costs more than the rest of a log line, and a rule's name does not change. */
function ruleText(rule: Rule): string {
  const known = texts.get(rule);
  if (known !== undefined) return known;
  const text = `rule ${quoted(rule.name)}`;
  texts.set(rule, text);
  return text;
}

/** One line: status or signal, and how long it took. */
export function logEnding(log: Log, running: Running, ending: Ending): void {
  const { pid, rule, program, startedAt } = running;
  const afterMs = Math.round(performance.now() - startedAt);
  const line = `${rule}: ${program} ${endingText(ending)} after ${afterMs} ms (pid ${pid})`;
  if (ending.kind === "exited" && ending.code === 0) log.info(line);
  else log.warn(line);
}

/** One line, whatever happened. */
export function logNotStarted(log: Log, { rule }: Running, error: unknown): void {
  log.error(`${rule}: ${error instanceof Error ? error.message : String(error)}`);
}

/**
 * kill(2): a signal for the command and all that it started and that stayed in its group.
 *
 * One that has ended is our zombie until Bun tells us so, and its number nobody else's meanwhile.
 */
export function signalGroup({ pid }: Running, signal: number): void {
  if (pid > 0) libc.kill(-pid, signal);
}
