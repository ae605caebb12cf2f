/** The command of an incron table: a program and its words where that is all, else a shell with a script. */
import { existsSync } from "node:fs";
import { fromLatin1, utf8 } from "../../ffi/bytes.ts";
import type { Command, Word } from "../rule/template.ts";
import { quotedWord, type Findings } from "./findings.ts";
import { type PlainWord, rewriteShell, shellName, values } from "./incron-shell.ts";
import { readTokens } from "./incron-text.ts";
import type { Programs } from "./programs.ts";
import type { Span } from "./span.ts";

export interface CommandContext {
  readonly programs: Programs;
  readonly findings: Findings;
}

/** Debian's incron runs bash, upstream sh; tables are written for either. */
export const shellPath = existsSync("/bin/bash") ? "/bin/bash" : "/bin/sh";

/** The command in `text`; null if it cannot be used, which the findings then say. */
export function readIncronCommand(
  field: Span & { readonly text: string },
  { programs, findings }: CommandContext,
): Command | null {
  const rewritten = rewriteShell(readTokens(field.text, field.from, findings), findings);
  if (rewritten === null) return null;
  warnAboutProgram(field, { programs, findings });
  const { script, words } = rewritten;
  const program = literalIn(words?.[0]);
  if (words !== null && program?.startsWith("/")) return { words: words.map(wordOf) };
  const passed = values.map((value): Word => [{ value }]);
  const fixed = [utf8(shellPath), utf8("-c"), fromLatin1(script), utf8(shellName)];
  return { words: [...fixed.map((literal): Word => [{ literal }]), ...passed] };
}

/** As far as that can be told: an absolute path as the first word. */
function warnAboutProgram(
  { text, from }: Span & { readonly text: string },
  { programs, findings }: CommandContext,
): void {
  const program = /^\/[\w./+-]+(?=\s|$)/.exec(text)?.[0];
  const doubt = program === undefined ? null : programs.doubtAbout(program);
  if (doubt === null) return;
  const span = { from, length: program!.length };
  findings.warning(span, `Cannot run ${quotedWord(program!)}: ${doubt}`);
}

function literalIn(word: PlainWord | undefined): string | null {
  if (word === undefined) return null;
  const texts = word.map((part) => ("literal" in part ? part.literal : null));
  return texts.includes(null) ? null : texts.join("");
}

/** One literal where there can be one, and a part at least. */
function wordOf(parts: PlainWord): Word {
  const word: ({ literal: Uint8Array } | { value: (typeof values)[number] })[] = [];
  let literal = "";
  const endLiteral = (): void => {
    if (literal !== "") word.push({ literal: fromLatin1(literal) });
    literal = "";
  };
  for (const part of parts) {
    if ("literal" in part) literal += part.literal;
    else {
      endLiteral();
      word.push(part);
    }
  }
  endLiteral();
  return word.length > 0 ? word : [{ literal: new Uint8Array(0) }];
}
