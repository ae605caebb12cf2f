/** The command of a facron table: its words, and the tokens that stand for a value of the trigger. */
import { fromLatin1 } from "../../ffi/bytes.ts";
import type { Command, ValueName, Word } from "../rule/template.ts";
import { meaningOf } from "./event-names.ts";
import type { Field } from "./facron-fields.ts";
import { isSurelyMask } from "./facron-mask.ts";
import { quotedWord, type Findings } from "./findings.ts";
import type { Programs } from "./programs.ts";

/** Replaced when they are the whole word, quoted or not; inside a word they are literal. */
const tokens: ReadonlyMap<string, ValueName> = new Map([
  ["$$", "path"],
  ["$@", "dir"],
  ["$#", "name"],
  ["$*", "pid"],
  ["$+", "counter_up"],
  ["$-", "counter_down"],
  ["$=", "counter"],
]);

export interface CommandContext {
  /** The field before the command. */
  readonly mask: Field;
  readonly programs: Programs;
  readonly findings: Findings;
}

/** The command in `fields`; null if there is none, or none that can be, which `findings` then have. */
export function readCommand(fields: readonly Field[], context: CommandContext): Command | null {
  const program = fields[0];
  if (program === undefined) return null;
  const mistake = mistakeIn(program, context.mask);
  if (mistake !== null) {
    context.findings.error(program, mistake);
    return null;
  }
  const doubt = tokens.has(program.text) ? null : context.programs.doubtAbout(program.text);
  if (doubt !== null) {
    context.findings.warning(program, `Cannot run ${quotedWord(program.text)}: ${doubt}`);
  }
  for (const field of fields.slice(1)) {
    const doubt = doubtAboutWord(field);
    if (doubt !== null) context.findings.warning(field, doubt);
  }
  return { words: fields.map(wordOf) };
}

/** What only a shell would understand, and what incron's tables can write and this dialect cannot. */
const shellOperators: ReadonlySet<string> = new Set(["|", "||", "&&", "&", ";", "<", ">", ">>"]);

function doubtAboutWord({ text, isQuoted }: Field): string | null {
  const shown = quotedWord(text);
  if (!isQuoted && (shellOperators.has(text) || /^[012&]?>/.test(text))) {
    return `Word ${shown} is passed on as it is: no shell sees it; put what needs one into a script`;
  }
  const token = /\$[$@#*]/.exec(text)?.[0];
  if (token === undefined || tokens.has(text)) return null;
  return `Word ${shown} is passed on as it is: ${token} is replaced only as a word of its own; if this is incron's table, add --format incron`;
}

/** What the word after a mask is instead of a program: mostly the rest of a mask with blanks in it. */
function mistakeIn(program: Field, mask: Field): string | null {
  const shown = quotedWord(program.text);
  if (program.text === "")
    return `Cannot run ${shown}: the program is empty; write its absolute path`;
  if (program.isQuoted || !continuesMask(program.text, mask.text)) return null;
  return `Unexpected ${shown} after the mask: no spaces inside a mask; write it as one word, like FAN_OPEN|FAN_CLOSE`;
}

function continuesMask(text: string, mask: string): boolean {
  if (/^[|,]/.test(text) || isSurelyMask(text)) return true;
  // A bare name may well be a program: "open" is one. Not after a separator, though.
  return /[|,]$/.test(mask) && meaningOf(text) !== null;
}

function wordOf({ text }: Field): Word {
  const value = tokens.get(text);
  return [value === undefined ? { literal: fromLatin1(text) } : { value }];
}
