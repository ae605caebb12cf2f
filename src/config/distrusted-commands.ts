/** Programs that root would run and that others can write: as good as a password for root. */
import { basename } from "node:path";
import { lossyText } from "../../ffi/bytes.ts";
import type { ConfigProblem } from "../errors.ts";
import { quoted } from "../log.ts";
import type { Command, Word } from "../rule/template.ts";
import type { LoadedFile } from "./source.ts";
import { Places } from "./span.ts";
import { distrustOf } from "./trust.ts";

/** Their first argument is a program too. */
const interpreters = /^(sh|bash|dash|ash|ksh|zsh|perl|python[\d.]*|ruby|node|php|lua)$/;

/**
 * An error for each rule whose command others can change.
 *
 * @param uidOf the user that a rule runs as, by name; null if it is not known
 */
export function distrustedCommands(
  files: readonly LoadedFile[],
  uidOf: (user: string) => number | null,
): ConfigProblem[] {
  if (process.geteuid!() !== 0) return [];
  const doubtAbout = remembered();
  return files.flatMap((loaded) => {
    const places = new Places(loaded);
    return loaded.rules.flatMap(({ rule, places: at }) => {
      const owner = rule.runAs === undefined ? 0 : (uidOf(rule.runAs.user) ?? 0);
      const commands = [
        { command: rule.command, span: at.program },
        { command: rule.policy?.onFailure ?? null, span: at.onFailure },
      ];
      return commands.flatMap(({ command, span }) =>
        programsOf(command).flatMap((program) => {
          const why = doubtAbout(program, owner);
          if (why === null) return [];
          return [places.problem(span ?? at.head, `Cannot trust ${quoted(program)}: ${why}`)];
        }),
      );
    });
  });
}

/** `distrustOf`, once for each program: ten thousand rules run the same few. */
function remembered(): (program: string, owner: number) => string | null {
  const known = new Map<string, string | null>();
  return (program, owner) => {
    const key = `${owner} ${program}`;
    const doubt = known.get(key);
    if (doubt !== undefined) return doubt;
    const why = distrustOf(program, { owner });
    known.set(key, why);
    return why;
  };
}

/** The program, and the script that it is given if it is one to run scripts. */
function programsOf(command: Command | null): string[] {
  if (command === null) return [];
  const [program, argument] = command.words.slice(0, 2).map(fixedText);
  if (!program?.startsWith("/")) return [];
  const isScript = argument?.startsWith("/") && interpreters.test(basename(program));
  return isScript ? [program, argument!] : [program];
}

/** Null if a part of it comes from the event. */
function fixedText(word: Word): string | null {
  const texts = word.map((part) => ("literal" in part ? lossyText(part.literal) : null));
  return texts.includes(null) ? null : texts.join("");
}
