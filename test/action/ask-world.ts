/** Gates that ask real commands, and questions for them, for tests of the asker. */
import { closeSync, openSync } from "node:fs";
import { utf8 } from "../../ffi/bytes.ts";
import { Asker, type AskerOptions } from "../../src/action/asker.ts";
import type { Answer, AskingGate } from "../../src/action/asked.ts";
import type { AskedQuestion } from "../../src/gate/messages.ts";
import { type Ask, defaultAsk, gateBits } from "../../src/rule/gate.ts";
import type { Command, Word } from "../../src/rule/template.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { MemoryLog, testLauncher, testOutputLog } from "./support.ts";

/** A gate called "scan"; words are texts, or parts of a template. */
export function gateThatAsks(
  words: readonly (string | Word)[],
  more: Partial<Ask> = {},
): AskingGate {
  const wordOf = (word: string | Word): Word =>
    typeof word === "string" ? [{ literal: utf8(word) }] : word;
  const command: Command = { words: words.map(wordOf) };
  return {
    name: "scan",
    watch: [],
    events: gateBits.open_perm,
    children: true,
    directories: false,
    decision: { ...defaultAsk, kind: "ask", command, ...more },
  };
}

export interface AskWorld {
  readonly asker: Asker;
  readonly log: MemoryLog;
  /** Of commands that were about to be started, and that are over. */
  readonly families: { begun: number; ended: number };
  /** By the questions' ids, in the order in which they came. */
  readonly answers: Map<number, Answer>;
  /** What the log has of all that commands wrote by now. */
  written(): Promise<void>;
  /** Ask gate 0 of generation 1, unless it is said otherwise. @returns the question's id */
  ask(question?: Partial<AskedQuestion> | string): number;
}

/** What still runs is killed at the end of the test. */
export function askWorld(
  gates: readonly AskingGate[],
  more: Partial<Pick<AskerOptions, "dryRun">> = {},
): AskWorld {
  const log = new MemoryLog();
  const stderrFd = openSync("/dev/null", "w");
  const output = testOutputLog(log);
  const families = { begun: 0, ended: 0 };
  const asker = new Asker({
    log,
    launcher: testLauncher({ log, stderrFd, output }),
    families: { begin: () => void families.begun++, end: () => void families.ended++ },
    ...more,
  });
  asker.follow(gates, 1);
  atTestEnd(async () => {
    const stopped = asker.stop({ graceMs: 0, killAfterMs: 1_000 });
    asker.hurry();
    asker.hurry();
    await stopped;
    closeSync(stderrFd);
  });
  const answers = new Map<number, Answer>();
  let lastId = 0;
  const ask = (about: Partial<AskedQuestion> | string = {}): number => {
    const { id = ++lastId, ...question } =
      typeof about === "string" ? { path: utf8(about) } : about;
    asker.ask({ ...plainQuestion, id, ...question }, (answer) => {
      if (answers.has(id)) throw new Error(`Question ${id} is answered twice`);
      answers.set(id, answer);
    });
    return id;
  };
  return { asker, log, families, answers, ask, written: () => output.drain() };
}

const plainQuestion = {
  generation: 1,
  gate: 0,
  events: gateBits.open_perm,
  path: utf8("/srv/f"),
  isDirectory: false,
  pid: 4711,
  comm: utf8("cat"),
  exe: utf8("/usr/bin/cat"),
  uid: 1000,
  range: null,
};
