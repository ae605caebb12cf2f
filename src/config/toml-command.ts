/** The commands of a rule: `run`, `shell` and `on_failure`. */
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { type Command, gateValues, type ValueName, valueNames } from "../rule/template.ts";
import { quotedWord } from "./findings.ts";
import { inside, type Text, type TomlTable } from "./toml-table.ts";
import { templateOf } from "./toml-template.ts";

interface CommandKeys {
  readonly run?: readonly string[] | undefined;
  readonly shell?: string | undefined;
}

/** Null if the rule has none. */
export function commandOf({ run, shell }: CommandKeys, table: TomlTable): Command | null {
  if (run !== undefined && shell !== undefined)
    table.error(["shell"], "Cannot use both run and shell: keep one of them");
  if (shell !== undefined) return shellCommand(shell, table);
  return run === undefined ? null : wordsOf("run", run, table);
}

/** @param words one at least */
export function wordsOf(
  key: "run" | "on_failure" | "ask",
  words: readonly string[],
  table: TomlTable,
): Command {
  const { findings } = table.context;
  const templates = words.map((text, at) => {
    const one = table.text(text, key, at);
    table.refuseNul(one);
    return templateOf(text, key === "ask" ? gateValues : valueNames, (from, length, message) =>
      findings.error(inside(one, from, length), message),
    );
  });
  checkProgram(table.text(words[0]!, key, 0), templates[0]!.every(isLiteral), table);
  if (templates[0]!.some((part) => "value" in part && part.value === "paths"))
    table.error([key, 0], 'Cannot run "{paths}": the first word is the program; write its path');
  const command = { words: templates };
  if (key === "run" && valuesIn(command).includes("error"))
    table.error(
      [key],
      'Cannot use "{error}" in run: it is for on_failure, which runs when something has gone wrong; remove it',
    );
  return command;
}

/** What it takes from its event. */
export function valuesIn({ words }: Command): ValueName[] {
  return words.flat().flatMap((part) => ("value" in part ? part.value : []));
}

function isLiteral(part: object): boolean {
  return "literal" in part;
}

function checkProgram(program: Text, isFixed: boolean, { context }: TomlTable): void {
  const { findings, programs } = context;
  if (program.text === "")
    findings.error(program, 'Cannot run "": the program is empty; write its absolute path');
  else if (isFixed) {
    const path = latin1(utf8(program.text));
    const doubt = programs.doubtAbout(path);
    if (doubt !== null) findings.warning(program, `Cannot run ${quotedWord(path)}: ${doubt}`);
  }
}

const token = /\{(paths?|name|dir|stem|ext|from|events|pid|comm|exe|uid|rule|seq)\}/;

function shellCommand(shell: string, table: TomlTable): Command {
  const one = table.text(shell, "shell");
  table.refuseNul(one);
  const found = token.exec(shell);
  if (found !== null && shell[found.index - 1] !== "$") {
    const message = `Cannot use ${found[0]} in shell: a file name would be read as shell; ${insteadOf(found[1]!)}`;
    table.context.findings.error(inside(one, found.index, found[0].length), message);
  }
  const words = ["/bin/sh", "-c", shell].map((text) => [{ literal: utf8(text) }]);
  return { words };
}

function insteadOf(value: string): string {
  if (value === "paths") return 'use run, or read them from stdin = "paths0"';
  const isOfName = value === "stem" || value === "ext";
  return `write "$FACRON_${isOfName ? "NAME" : value.toUpperCase()}"`;
}
