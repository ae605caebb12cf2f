/** Programs that root would run and that others can write: as good as a password for root. */
import { basename } from "node:path";
import { lossyText } from "../../ffi/bytes.ts";
import type { ConfigProblem } from "../errors.ts";
import { quoted } from "../log.ts";
import type { RunAs } from "../rule/rule.ts";
import type { Command, Word } from "../rule/template.ts";
import type { LoadedFile } from "./source.ts";
import { Places, type Span } from "./span.ts";
import { distrustOf } from "./trust.ts";

/** Their first argument is a program too. */
const interpreters = /^(sh|bash|dash|ash|ksh|zsh|perl|python[\d.]*|ruby|node|php|lua)$/;

/**
 * An error for each rule or gate whose command others can change.
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
    return commandsIn(loaded).flatMap(({ command, runAs, span }) => {
      const owner = runAs === undefined ? 0 : (uidOf(runAs.user) ?? 0);
      return programsOf(command).flatMap((program) => {
        const why = doubtAbout(program, owner);
        return why === null
          ? []
          : [places.problem(span, `Cannot trust ${quoted(program)}: ${why}`)];
      });
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

interface PlacedCommand {
  readonly command: Command | null;
  readonly runAs: RunAs | undefined;
  readonly span: Span;
}

function commandsIn({ rules, gates }: LoadedFile): PlacedCommand[] {
  const ofRules = rules.flatMap(({ rule: { command, runAs, policy }, places: at }) => [
    { command, runAs, span: at.program ?? at.head },
    { command: policy?.onFailure ?? null, runAs, span: at.onFailure ?? at.head },
  ]);
  const ofGates = gates.flatMap(({ gate: { decision }, places: at }) =>
    decision.kind === "ask"
      ? [{ command: decision.command, runAs: decision.runAs, span: at.program ?? at.head }]
      : [],
  );
  return [...ofRules, ...ofGates];
}

/** The absolute paths of the program, and of the script that it is given if it is one to run scripts. */
export function programsOf(command: Command | null): string[] {
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
