/** The commands of a line one by one: whether a file's name could be read as a command there. */
import type { Piece, ShellCommand, ShellWord } from "./incron-shell-reading.ts";
import { intoScript } from "./incron-shell-expansions.ts";
import {
  type Interpreter,
  interpreters,
  leaves,
  shells,
  wrappers,
} from "./incron-shell-programs.ts";
import {
  assignment,
  checkAssignment,
  checkBuiltin,
  type Fault,
  hasValue,
  startOf,
} from "./incron-shell-builtins.ts";
import { literalOf, withoutKeywords } from "./incron-shell-script.ts";

export interface Examination {
  /** The whole text. */
  readonly chars: string;
  readonly fault: Fault;
  readonly doubt: Fault;
  /** Takes the text that a shell inside the shell is given, which has to be rewritten. */
  readonly inner: (text: ShellWord, isLast: boolean) => void;
}

/** @param command of a text in which the name of a file can be anywhere */
export function examine(command: ShellCommand, examination: Examination): void {
  const { fault } = examination;
  checkRedirections(command, fault);
  const words = withoutKeywords(command.words);
  for (const word of words) checkAssignment(word, fault);
  const first = words.findIndex((word) => !assignment.test(startOf(word)));
  if (first < 0) return;
  const called = skipCallers(words.slice(first));
  checkProgram(called[0]!, examination);
  const name = nameOf(called[0]!);
  if (name !== null) checkBuiltin(literalOf(called[0]!)!, called, fault);
  checkOptions(name, called, examination);
  if (name === null || !leaves.has(name)) checkPrograms(called, command, examination);
}

/** bash 5.2 expands the file of `>&FILE` a second time, and runs what is in a name then; not that of `&>FILE`. */
function checkRedirections({ redirections }: ShellCommand, fault: Fault): void {
  for (const { operator, target } of redirections) {
    if (!/[<>]&$/.test(operator) || !hasValue(target)) continue;
    fault(
      target,
      "Cannot use a value after >&: bash reads its text a second time there, which can run a command; write &>FILE or >FILE 2>&1",
    );
  }
}

/** `command cp a b` is `cp a b`. */
function skipCallers(words: readonly ShellWord[]): readonly ShellWord[] {
  const isCaller = ["command", "builtin"].includes(literalOf(words[0]!) ?? "");
  return isCaller && words.length > 1 ? words.slice(1) : words;
}

/** The program's name without directory and version; null if events choose it. */
function nameOf(word: ShellWord): string | null {
  const text = literalOf(word);
  if (text === null) return null;
  const name = text.slice(text.lastIndexOf("/") + 1);
  return name.replace(/(?<=[a-z])[\d.]+$/, "");
}

/** A program may be found by its directory, and not by a name that anyone could give to a file. */
function checkProgram(word: ShellWord, { chars, fault }: Examination): void {
  const [piece] = word.pieces;
  if (literalOf(word) !== null || piece === undefined) return;
  if (/^\w+\[/.test(startOf(word))) return; // an index, which is refused anyway
  if (piece.kind === "text" && piece.text.startsWith("/")) return;
  if (piece.kind === "token" && piece.value === "watched") return;
  if (isOutside(piece, chars)) return;
  fault(
    word,
    `Cannot let an event choose the program: a file's name could be that of any; start it with a directory, like $@/$#`,
  );
}

/** From facron's environment: nothing in the text gives it a value. */
function isOutside(piece: Piece, chars: string): boolean {
  if (piece.kind !== "expansion") return false;
  if (piece.what === "command") return !/[$`\ue000-\ue003]/.test(piece.text.slice(1));
  const name = /^\$\{?([A-Za-z_]\w*)\}?$/.exec(piece.text)?.[1];
  return name !== undefined && !new RegExp(`(?<![$\\w]|\\$\\{)${name}(?!\\w)`).test(chars);
}

/** Options of tar, rsync and others. */
const runsValue = /^--(to-command|checkpoint-action|use-compress-program|rsh|command|exec|eval)=/;

const takesAnyWord = new Set([
  "echo",
  "printf",
  "test",
  "[",
  "[[",
  "case",
  "for",
  "select",
  "export",
]);

function checkOptions(
  name: string | null,
  words: readonly ShellWord[],
  { doubt, fault }: Examination,
): void {
  if (name !== null && takesAnyWord.has(name)) return;
  for (const word of words.slice(1)) {
    if (literalOf(word) === "--") return;
    if (runsValue.test(startOf(word)) && hasValue(word)) fault(word, commandText);
    const piece = word.pieces.find((one) => one.kind !== "text" || one.text !== "");
    if (piece?.kind === "token" && piece.value === "entry") {
      doubt(
        word,
        'A file\'s name can start with "-" and be taken for an option: write $@/$#, or -- before it',
      );
    }
    if ((name === "scp" || name === "rsync") && /^[^/]*:/.test(startOf(word)) && hasValue(word)) {
      doubt(
        word,
        `A remote shell may read the file's name in a path of ${name}: end the path at its directory`,
      );
    }
  }
  if (
    name === "xargs" &&
    !words.some((word) => /^(-\w*[0d]|--null|--delimiter)/.test(literalOf(word) ?? ""))
  ) {
    doubt(
      words[0]!,
      "Program xargs takes names apart at blanks and quotes: write xargs -0, and separate them by NUL",
    );
  }
}

/** Everything that could run another program by its words. */
function checkPrograms(
  words: readonly ShellWord[],
  command: ShellCommand,
  examination: Examination,
): void {
  const isWrapper = wrappers.has(nameOf(words[0]!) ?? "");
  if (isWrapper) checkWrapped(words, examination);
  for (const [at, word] of words.entries()) {
    const name = nameOf(word) ?? (at === 0 && isShellVariable(word) ? "sh" : null);
    if (name === null) continue;
    const rest = words.slice(at + 1);
    const isCalled = at === 0 || isWrapper;
    if (shells.has(name)) checkShell(rest, { command, isCalled, ...examination });
    const interpreter = isCalled ? interpreters.get(name) : undefined;
    if (interpreter !== undefined) {
      checkInterpreter({ name, word, rest, interpreter }, { command, isCalled, ...examination });
    }
    if (shells.has(name) || interpreter?.allIsCode) return;
  }
}

function isShellVariable(word: ShellWord): boolean {
  const [piece, ...rest] = word.pieces;
  return (
    piece?.kind === "expansion" && rest.length === 0 && /^\$\{?(BASH|SHELL)\}?$/.test(piece.text)
  );
}

/** `sudo $#`, `env X=1 $#` */
function checkWrapped(words: readonly ShellWord[], examination: Examination): void {
  const called = words.slice(1).find((word) => {
    const text = literalOf(word);
    return text === null ? !assignment.test(startOf(word)) : !/^-|=|^\d+[smhd]?$/.test(text);
  });
  const isSearch = nameOf(words[0]!) === "find";
  const splits = words.some((word) => /^(-\w*S|--split-string)/.test(startOf(word)));
  if (nameOf(words[0]!) === "env" && splits) {
    for (const word of words.filter(hasValue)) examination.fault(word, commandText);
  } else if (called !== undefined && !isSearch) checkProgram(called, examination);
}

const commandText = `Cannot put a value into the text of a command: a file's name could be a part of it; ${intoScript}`;

interface Called extends Examination {
  readonly command: ShellCommand;
  /** And not just a word like the name of a program. */
  readonly isCalled: boolean;
}

function checkShell(rest: readonly ShellWord[], called: Called): void {
  let hasText = false;
  let readsInput = false;
  let at = 0;
  for (; /^[-+]./.test(literalOf(rest[at] ?? nothing) ?? ""); at++) {
    const option = literalOf(rest[at]!)!;
    if (option === "--") {
      at++;
      break;
    }
    if (option.startsWith("--")) {
      if (/^--(rcfile|init-file)$/.test(option)) at++;
      continue;
    }
    hasText ||= option.includes("c");
    readsInput ||= option.includes("s");
    if (/[oO]$/.test(option)) at++;
  }
  const operand = rest[at];
  if (hasText && operand !== undefined) return called.inner(operand, at === rest.length - 1);
  if (!called.isCalled) return;
  checkInput(hasText || readsInput ? undefined : operand, called, "a shell");
}

const nothing: ShellWord = { from: 0, to: 0, pieces: [], needsShell: false };

/** A program that is read from a file is as its writer has it; one that the line makes may hold a name. */
function checkInput(file: ShellWord | undefined, { command, fault }: Called, what: string): void {
  const input = command.redirections.findLast(({ operator }) => /^0?<(<<)?$/.test(operator));
  const isFile =
    input !== undefined && /<$/.test(input.operator) && !input.operator.endsWith("<<<");
  const source = file ?? (isFile ? input.target : undefined);
  if (
    source !== undefined &&
    !source.pieces.some((piece) => piece.kind === "expansion" && piece.what !== "variable")
  )
    return;
  fault(
    command.words[0]!,
    `Cannot let ${what} read its commands here: a file's name could be among them; ${intoScript}`,
  );
}

interface Interpreted {
  readonly name: string;
  readonly word: ShellWord;
  readonly rest: readonly ShellWord[];
  readonly interpreter: Interpreter;
}

function checkInterpreter({ name, rest, interpreter }: Interpreted, called: Called): void {
  const { code, firstIsCode, valued, fromFile, allIsCode, readsProgram, cure } = interpreter;
  const refuse = (word: ShellWord) => {
    called.fault(
      word,
      `Cannot put a value into program text of ${name}: a file's name could become part of the program; ${cure}`,
    );
  };
  if (allIsCode) for (const word of rest.filter(hasValue)) refuse(word);
  let hasProgram = false;
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at]!;
    const text = literalOf(word);
    if (code?.test(startOf(word))) {
      hasProgram = true;
      if (text === null) refuse(word);
      else if (rest[at + 1] !== undefined && hasValue(rest[at + 1]!)) refuse(rest[at + 1]!);
      if (text !== null) at++;
    } else if (fromFile?.test(startOf(word))) {
      hasProgram = true;
      at++;
    } else if (text !== null && valued?.test(text)) at++;
    else if (!startOf(word).startsWith("-")) {
      if (firstIsCode && !hasProgram && text === null) refuse(word);
      if (readsProgram && !hasProgram && !allIsCode) checkInput(word, called, name);
      return;
    }
  }
  if (readsProgram && !hasProgram) checkInput(undefined, called, name);
}
