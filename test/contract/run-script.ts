/** Runs a script against the built binary, on one filesystem with one backend. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { latin1 } from "../../ffi/bytes.ts";
import { check } from "../../ffi/errno.ts";
import { bytesReadable, O, readNow } from "../../ffi/fd.ts";
import { libc } from "../../ffi/libc.ts";
import { type EventLine, RunningBinary } from "../helpers/run-binary.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { linesTold, type Told } from "./line-text.ts";
import { optionsFor } from "./filesystems.ts";
import { newPipe } from "./new-pipe.ts";
import { Quiet } from "./quiet.ts";
import type { BackendName, ExpectedLine, Round, Script } from "./script.ts";
import { Shell } from "./shell.ts";

/** Short: a script waits for some of them after each of its lines. */
const pollInterval = "20ms";

export interface RoundResult {
  readonly acts: readonly string[];
  readonly expected: readonly string[];
  readonly told: readonly string[];
}

/**
 * Run it in a new directory.
 *
 * @returns for each round what was expected and what was told, ready to be compared
 * @throws {Error} if an act fails, a line breaks a rule that holds for all, or the log lacks something
 */
export async function runScript(
  script: Script,
  { directory, backend }: { readonly directory: string; readonly backend: BackendName },
): Promise<RoundResult[]> {
  mkdirSync(directory, { recursive: true });
  await using run = new ScriptRun(script, directory, backend);
  return await run.rounds();
}

class ScriptRun implements AsyncDisposable {
  readonly #script: Script;
  readonly #directory: string;
  readonly #backend: BackendName;
  readonly #shell: Shell;
  readonly #output = newPipe();
  #facron: RunningBinary | null = null;
  #quiet: Quiet | null = null;
  #isPaused = false;
  #cut = "";
  #seq = 0;

  constructor(script: Script, directory: string, backend: BackendName) {
    this.#script = script;
    this.#directory = directory;
    this.#backend = backend;
    this.#shell = new Shell(directory);
    check(libc.fcntl(this.#output.read.number, 4 /* F_SETFL */, O.NONBLOCK), "fcntl");
  }

  async rounds(): Promise<RoundResult[]> {
    await this.#shell.run(this.#script.before.join("\n"));
    await this.#start();
    const results: RoundResult[] = [];
    for (const round of this.#script.rounds) results.push(await this.#round(round));
    await this.#end();
    return results;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#quiet?.[Symbol.dispose]();
    await this.#shell[Symbol.asyncDispose]();
    await this.#facron?.[Symbol.asyncDispose]();
    this.#output[Symbol.dispose]();
  }

  async #start(): Promise<void> {
    const options = { cwd: this.#directory, stdout: this.#output.write.number };
    this.#facron = new RunningBinary(this.#words(), options);
    this.#output.write.close();
    await this.#facron.ready();
    await this.#shell.run(`FACRON=${this.#facron.pid}`);
    const told = () => bytesReadable(this.#output.read.number);
    this.#quiet = new Quiet(this.#facron.pid, this.#backend === "poll" ? told : null);
    await this.#quiet.wait();
  }

  #words(): string[] {
    const { watch, table, toml } = this.#script;
    const interval = this.#backend === "poll" ? ["--poll-interval", pollInterval] : [];
    if (watch !== null) return ["watch", ...optionsFor(this.#backend), ...interval, ...watch];
    if (toml.length > 0) {
      writeFileSync(join(this.#directory, "table.toml"), tomlFor(toml, this.#backend));
      return ["--config", "table.toml"];
    }
    const lines = this.#backend === "inotify" ? table.map(withInotifyNames) : table;
    writeFileSync(join(this.#directory, "table"), `${lines.join("\n")}\n`);
    return ["--config", "table"];
  }

  async #round(round: Round): Promise<RoundResult> {
    for (const act of round.atOnce ? joined(round.acts) : round.acts) {
      await this.#act(act);
      if (!round.atOnce) await this.#rest();
    }
    await this.#rest();
    const told = this.#take();
    for (const text of round.log) await this.#waitForLog(text);
    const expected = round.output
      .filter(({ backends }) => backends.includes(this.#backend))
      .map((line) => (this.#backend === "poll" ? withoutReason(line) : line));
    // Of what one look finds the order is that of the directory.
    const both =
      round.atOnce || this.#backend === "poll"
        ? unordered(expected, told)
        : inOrder(expected, told);
    return { acts: round.acts, ...both };
  }

  async #act(act: string): Promise<void> {
    if (act === "pause") {
      this.#isPaused = true;
      await this.#quiet!.pause();
    } else if (act === "resume") {
      this.#isPaused = false;
      this.#quiet!.resume();
    } else if (act === "reload") await this.#reload();
    else await this.#shell.run(act);
  }

  async #rest(): Promise<void> {
    if (!this.#isPaused) await this.#quiet!.wait();
  }

  async #reload(): Promise<void> {
    const facron = this.#facron!;
    const answers = () =>
      facron.log.match(/^facron: (reloaded,|error: Cannot reload)/gm)?.length ?? 0;
    const before = answers();
    facron.signal("SIGUSR1");
    await waitFor(() => answers() > before, { what: "the reload", state: () => facron.log });
  }

  async #waitForLog(text: string): Promise<void> {
    const facron = this.#facron!;
    const shown = () => facron.log.replaceAll(`${this.#directory}/`, "");
    await waitFor(() => shown().includes(text), { what: `the log to say ${text}`, state: shown });
  }

  /** What facron has written by now: it rests, so nothing is under way. */
  #take(): Told[] {
    const buffer = new Uint8Array(64 * 1024);
    let text = this.#cut;
    for (let n = readNow(this.#output.read.number, buffer); n > 0;) {
      text += latin1(buffer.subarray(0, n));
      n = readNow(this.#output.read.number, buffer);
    }
    const lines = text.split("\n");
    this.#cut = lines.pop()!;
    return lines.flatMap((line) => this.#read(Buffer.from(line, "latin1").toString()));
  }

  /** What holds for every line, whatever the script. */
  #read(text: string): Told[] {
    const line = JSON.parse(text) as EventLine;
    const fault = this.#faultOf(line);
    if (fault !== null) throw new Error(`${fault}: ${text}`);
    this.#seq = line.seq;
    return linesTold(line, this.#directory);
  }

  #faultOf(line: EventLine): string | null {
    const { seq, pid, synthetic, time, lost, rules } = line as Record<string, unknown>;
    if (seq !== this.#seq + 1) return `seq after ${this.#seq}`;
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(String(time))) return "no time";
    if (lost === true) return null;
    if (new Set(rules as string[]).size !== (rules as string[]).length) return "a rule twice";
    if (new Set(line.events).size !== line.events.length) return "an event twice";
    if ((rules as string[]).length === 0 || line.events.length === 0) return "says nothing";
    if (synthetic !== undefined && pid !== undefined) return "a pid of no one";
    if (this.#backend === "poll") return synthetic === "poll" ? null : "nothing of a look";
    if (synthetic !== undefined) return null;
    const sees = this.#script.table.some((rule) => / IN_/.test(rule)) ? null : this.#backend;
    if ((sees === "fanotify" || sees === "filesystem") && !(Number(pid) > 0)) return "no pid";
    if (sees === "inotify" && pid !== undefined) return "a pid, which inotify does not know";
    return null;
  }

  async #end(): Promise<void> {
    const facron = this.#facron!;
    facron.signal("SIGTERM");
    const { code, signal } = await facron.exit();
    if (code !== 0) throw new Error(`facron ended with ${signal ?? code}:\n${facron.log}`);
    const late = this.#take();
    if (late.length > 0 || this.#cut !== "") {
      throw new Error(
        `Told at the end only:\n${late.map(({ text }) => text).join("\n")}${this.#cut}`,
      );
    }
  }
}

/** As few calls of the shell as possible: what is for us stands alone. */
function joined(acts: readonly string[]): string[] {
  return acts.reduce<string[]>((all, act) => {
    const before = all.at(-1);
    if (before === undefined || ours.includes(before) || ours.includes(act)) return [...all, act];
    return [...all.slice(0, -1), `${before}\n${act}`];
  }, []);
}

const ours = ["pause", "resume", "reload"];

function tomlFor(lines: readonly string[], backend: BackendName): string {
  const isNamed = lines.some((line) => line.startsWith("name ="));
  const interval = backend === "poll" ? [`poll_interval = "${pollInterval}"`] : [];
  const isWhole = backend === "filesystem";
  const named = `backend = "${isWhole ? "fanotify" : backend}"`;
  const keys = [named, ...interval, ...(isNamed ? [] : ['name = "watch"'])];
  return lines
    .flatMap((line) => {
      if (line === "[[rule]]") return [line, ...keys];
      return isWhole && line === "recursive = true" ? [line, 'scope = "filesystem"'] : [line];
    })
    .join("\n");
}

/** `D create,modify /bin/x` for inotify: `D IN_CREATE,IN_MODIFY /bin/x`. */
function withInotifyNames(rule: string): string {
  return rule.replace(/^(\S+\s+)(\S+)/, (_, path: string, mask: string) => {
    const names = mask.replace(/\b(?!FAN_|IN_)\w+/gi, (name) => `IN_${name.toUpperCase()}`);
    return path + names;
  });
}

type Compared = Pick<RoundResult, "expected" | "told">;

/** One after the other. Optional lines that were not told are left out. */
function inOrder(expected: readonly ExpectedLine[], told: readonly Told[]): Compared {
  const lines = collapsed(told);
  const wanted: string[] = [];
  for (const { text, isOptional } of expected) {
    const same = lines[wanted.length];
    if (isOptional && (same === undefined || !isSame(text, same))) continue;
    wanted.push(text);
  }
  return compared(wanted, lines.map(noted), lines);
}

/** Each once, in whatever order, synthetic or not. */
function unordered(expected: readonly ExpectedLine[], told: readonly Told[]): Compared {
  const lines = collapsed([...told].sort(byText));
  const wanted = expected
    .filter(({ isOptional, text }) => !isOptional || lines.some((line) => isSame(text, line)))
    .map(({ text }) => text)
    .sort()
    .filter((text, at, all) => !isRepeatable(text) || all[at - 1] !== text);
  return compared(
    wanted,
    lines.map(({ text }) => text),
    lines,
  );
}

function byText(a: Told, b: Told): number {
  return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
}

/** Without the rules: those of a record are told for each of its events. */
function isSame(expected: string, told: Told): boolean {
  return withoutRules(expected) === withoutRules(noted(told));
}

function withoutRules(text: string): string {
  return text.replace(/ @[\d,]+/, "");
}

/**
 * One record has one line, with all the rules that it meets. Where it was merged of several events, its
 * rules are those that are expected for any of them.
 */
function compared(wanted: string[], texts: string[], lines: readonly Told[]): Compared {
  const expected = wanted.map((text, at) => {
    const told = lines[at];
    if (told === undefined || !/ @/.test(text)) return text;
    const ofRecord = wanted.filter((_, i) => lines[i]?.seq === told.seq);
    const rules = new Set(ofRecord.flatMap((one) => / @([\d,]+)/.exec(one)?.[1]?.split(",") ?? []));
    return text.replace(/ @[\d,]+/, ` @${[...rules].sort().join(",")}`);
  });
  return { expected, told: texts };
}

/**
 * Equal records that follow each other are one if they are still in the queue (inotify(7)): how many
 * of them come says nothing.
 */
function collapsed(told: readonly Told[]): Told[] {
  return told.filter(({ text }, at) => !isRepeatable(text) || told[at - 1]?.text !== text);
}

function isRepeatable(text: string): boolean {
  return text.startsWith("modify ") || text.startsWith("access ");
}

/** Polling has one reason for all that it tells. */
function withoutReason(line: ExpectedLine): ExpectedLine {
  return { ...line, text: line.text.replace(/ \((?:new-directory|appeared)\)$/, "") };
}

function noted({ text, synthetic }: Told): string {
  return synthetic === "" || synthetic === "poll" ? text : `${text} (${synthetic})`;
}
