/** Where bash itself takes text for a name or an expression, both of which can run a command. */
import { quotedWord } from "./findings.ts";
import type { Piece, ShellWord } from "./incron-shell-reading.ts";
import { intoScript } from "./incron-shell-expansions.ts";
import { literalOf } from "./incron-shell-script.ts";

/** Takes what is wrong with a word. */
export type Fault = (word: ShellWord, message: string) => void;

/** They take all of their words for shell text, or keep them to do so later. */
const evaluators: ReadonlySet<string> = new Set([
  ...["eval", "let", "trap", "alias", "coproc", "compgen", "complete", "bind", "fc", "enable"],
]);
const declarers: ReadonlySet<string> = new Set([
  ...["declare", "typeset", "local", "export", "readonly"],
]);
const namers: ReadonlySet<string> = new Set([
  ...["read", "unset", "getopts", "wait", "mapfile", "readarray", "for", "select"],
]);

/** bash calculates what is given to them. */
const calculated = /^(BASHPID|HISTCMD|OPTIND|RANDOM|SECONDS|SRANDOM|LINENO)(\+?=|$)/;

/** A shell, the linker or a language runs what is in them at the next start. */
const run =
  /^(BASH_ENV|ENV|PS[0-4]|PROMPT_COMMAND|PATH|LD_\w+|PERL5\w+|PYTHON\w+|RUBYOPT|NODE_OPTIONS|GIT_\w+|EDITOR|VISUAL|PAGER|SHELLOPTS|BASHOPTS)(\+?=|$)/;

/** What a word starts with, as far as it is text. */
export function startOf(word: ShellWord): string {
  const [piece] = word.pieces;
  return piece?.kind === "text" ? piece.text : "";
}

export function hasValue(word: ShellWord): boolean {
  return literalOf(word) === null;
}

/** Whether a token in it stands for what others may choose. */
function hasName(word: ShellWord): boolean {
  return word.pieces.some(
    (piece) => piece.kind === "token" && /^(watched|entry)$/.test(piece.value),
  );
}

/** `NAME=` and the like at the start. */
export const assignment = /^[A-Za-z_]\w*(\[[^\]]*\])?\+?=/;

/** `NAME=value`, before a command, as one, or as a word of one. */
export function checkAssignment(word: ShellWord, fault: Fault): void {
  const start = startOf(word);
  const isRun = run.test(start) && hasName(word);
  if (start.includes("=") && (isRun || (calculated.test(start) && hasValue(word)))) {
    const special = /^\w+/.exec(start)![0];
    fault(
      word,
      `Cannot put a value into ${special} beside $@ or $#: its text is run; ${intoScript}`,
    );
  }
  if (/^[A-Za-z_]\w*\[(?![\d@*]+\]\+?=)/.test(start)) fault(word, index);
}

const index = `Cannot use an index beside $@ or $#: bash takes it for an expression, which can run a command; ${intoScript}`;

/** @param words the name of the command first */
export function checkBuiltin(name: string, words: readonly ShellWord[], fault: Fault): void {
  const [command, ...rest] = words as [ShellWord, ...ShellWord[]];
  if (evaluators.has(name)) {
    fault(
      command,
      `Cannot use ${name} beside $@ or $#: it reads text as commands, and a file's name could be in it; ${intoScript}`,
    );
  }
  if (name === "." || name === "source") {
    const file = rest[0];
    if (file !== undefined && hasValue(file))
      fault(
        file,
        `Cannot read commands from a file named by an event: everyone who may name one could give commands; run it as a program of its own`,
      );
  }
  if (declarers.has(name)) checkDeclaration(name, rest, fault);
  if (namers.has(name)) checkNames(name, rest, fault);
  if (name === "printf") checkPrintf(rest, fault);
  if (name === "test" || name === "[") checkTest(name, rest, fault);
  if (name === "[[") checkExtendedTest(rest, fault);
}

function checkDeclaration(name: string, words: readonly ShellWord[], fault: Fault): void {
  for (const word of words) {
    const text = literalOf(word);
    if (text !== null && /^[-+]\w*[inaAul]/.test(text)) {
      fault(
        word,
        `Cannot use ${name} ${quotedWord(text)} beside $@ or $#: bash evaluates values then, which can run a command; leave it out`,
      );
    } else if (text === null && !assignment.test(startOf(word))) {
      fault(
        word,
        `Cannot name a variable after an event: its text could run a command; write ${name} NAME=value`,
      );
    }
  }
}

function checkNames(name: string, words: readonly ShellWord[], fault: Fault): void {
  const names = name === "for" || name === "select" ? words.slice(0, 1) : words;
  for (const word of names) {
    const text = literalOf(word);
    if (text === null || text.includes("[")) {
      fault(word, badName(name));
    } else if (calculated.test(text) || run.test(text)) {
      fault(
        word,
        `Cannot use ${quotedWord(text)} for a variable of ${name}: bash does not take it for plain text; choose another name`,
      );
    }
  }
}

/** `-v NAME` and `-vNAME`: also when a value becomes that. */
function checkPrintf(words: readonly ShellWord[], fault: Fault): void {
  const [first, second] = words;
  const start = first === undefined ? "" : startOf(first);
  if (start.startsWith("-v")) {
    const isAttached = start.length > 2;
    const name = isAttached ? first! : second;
    const text = name === undefined ? "" : (literalOf(name)?.replace(/^-v/, "") ?? "[");
    if (name !== undefined && !isPlainName(text)) fault(name, badName("printf"));
  } else if (first !== undefined && mayBeOption(first)) {
    fault(
      first,
      "Cannot start the format of printf with a value: it could be an option that runs a command; write printf %s and then the value",
    );
  }
}

/** What it starts with is a value, and not that of the directory, which starts with a slash. */
function mayBeOption({ pieces }: ShellWord): boolean {
  const first = pieces.find((piece) => piece.kind !== "text" || piece.text !== "");
  return first?.kind === "expansion" || (first?.kind === "token" && first.value !== "watched");
}

function isPlainName(text: string): boolean {
  return /^\w*$/.test(text) && !calculated.test(text) && !run.test(text);
}

function badName(of: string): string {
  return `Cannot name a variable of ${of} so beside $@ or $#: its text could run a command; write a plain name`;
}

/** `-v NAME` looks into NAME, and an unquoted value can become a `-v` with its name. */
function checkTest(name: string, words: readonly ShellWord[], fault: Fault): void {
  words.forEach((word, at) => {
    if (isLookUp(word) && hasValue(words[at + 1] ?? word)) fault(word, lookUp(name));
    if (word.pieces.some(isUnquoted)) {
      fault(
        word,
        `Missing quotes in ${name} beside $@ or $#: a value could become a test that runs a command; write "..." around it`,
      );
    }
  });
}

function isUnquoted(piece: Piece): boolean {
  return piece.kind === "expansion" && !piece.isQuoted;
}

function isLookUp(word: ShellWord): boolean {
  return ["-v", "-R"].includes(literalOf(word) ?? "");
}

function lookUp(name: string): string {
  return `Cannot use -v in ${name} beside $@ or $#: bash takes the value for a name with an index, which can run a command; ${intoScript}`;
}

const comparisons = new Set(["-eq", "-ne", "-lt", "-le", "-gt", "-ge"]);

/** `[[ a -eq b ]]` calculates with both. */
function checkExtendedTest(words: readonly ShellWord[], fault: Fault): void {
  words.forEach((word, at) => {
    if (isLookUp(word)) fault(word, lookUp("[["));
    if (!comparisons.has(literalOf(word) ?? "")) return;
    const sides = [words[at - 1], words[at + 1]];
    if (sides.every((side) => side === undefined || isNumber(side))) return;
    fault(
      word,
      'Cannot compare numbers in [[ beside $@ or $#: bash calculates with the values, which can run a command; write [ "..." -eq "..." ]',
    );
  });
}

function isNumber(word: ShellWord): boolean {
  const [piece, ...rest] = word.pieces;
  const isMask = piece?.kind === "token" && piece.value === "in_mask" && rest.length === 0;
  return isMask || /^\d+$/.test(literalOf(word) ?? "");
}
