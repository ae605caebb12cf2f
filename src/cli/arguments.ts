/** Strict reading of a command line, by the definitions that citty has: nothing is guessed or dropped. */
import type { ArgsDef } from "citty";
import { didYouMean } from "../config/did-you-mean.ts";
import { UsageError } from "../errors.ts";
import { quoted } from "../log.ts";

/** The first words that mean a command; without one, facron follows its configuration. */
export const commandNames = [
  "watch",
  "check",
  "explain",
  "convert",
  "schema",
  "status",
  "queue",
  "gate",
] as const;

/** Kinds of words that a command takes. */
export interface Shape {
  readonly args: ArgsDef;
  /** What words that are no options mean, as the help has it: "PATH"; null if none are taken. */
  readonly words: string | null;
  /** Options that may be given more than once, and what their values are then joined by. */
  readonly lists?: Readonly<Record<string, string>>;
  /** Options of another command that are looked for here, as they are typed: what they are for, with the cure. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

/** Joins values that may hold any character: no word of a command line has a NUL. */
export const betweenWords = "\0";

interface Option {
  readonly name: string;
  readonly takesValue: boolean;
}

/**
 * Check every word, and put the command line into the one form that citty reads right: each option
 * once, as `--name=value`, then `--`, then the words.
 *
 * A value that starts with a dash has to be joined, `--config=-odd`: else it is a forgotten value.
 *
 * @throws {UsageError} unknown option, missing value, value for a flag, option given twice, extra word
 */
export function strictArguments(raw: readonly string[], shape: Shape): string[] {
  const values = new Map<string, string | null>();
  const words: string[] = [];
  const rest = [...raw];
  while (rest.length > 0) {
    const word = rest.shift()!;
    if (word === "--") words.push(...rest.splice(0));
    else if (!word.startsWith("-") || word === "-") words.push(word);
    else takeOption(word, rest, values, shape);
  }
  if (shape.words === null && words.length > 0) throw extraWord(words[0]!);
  const options = [...values].map(([name, value]) =>
    value === null ? `--${name}` : `--${name}=${value}`,
  );
  return [...options, "--", ...words];
}

function takeOption(
  word: string,
  rest: string[],
  values: Map<string, string | null>,
  shape: Shape,
): void {
  const equals = word.startsWith("--") ? word.indexOf("=") : -1;
  const given = equals < 0 ? word : word.slice(0, equals);
  const option = optionsOf(shape.args).get(given);
  if (option === undefined) throw unknownOption(given, shape);
  if (!option.takesValue) {
    if (equals >= 0) throw new UsageError(`Option ${given} takes no value: write it alone`);
    values.set(option.name, null);
    return;
  }
  const value = equals < 0 ? rest.shift() : word.slice(equals + 1);
  const isForgotten = equals < 0 && value !== undefined && /^-./.test(value);
  if (value === undefined || value === "" || isForgotten) {
    throw new UsageError(
      `Option ${given} needs a value: ${given} ${hintOf(shape.args, option.name)}`,
    );
  }
  const before = values.get(option.name);
  const separator = shape.lists?.[option.name];
  if (before === undefined || before === null) values.set(option.name, value);
  else if (separator !== undefined) values.set(option.name, `${before}${separator}${value}`);
  else
    throw new UsageError(
      `Option --${option.name} is given twice: ${quoted(before)} and ${quoted(value)}`,
    );
}

/** By the spelling on the command line: `--config`, `-c`, `--conf`. */
function optionsOf(args: ArgsDef): Map<string, Option> {
  const options = new Map<string, Option>();
  for (const [name, definition] of Object.entries(args)) {
    const option = { name, takesValue: definition.type !== "boolean" };
    const aliases = "alias" in definition ? [definition.alias ?? []].flat() : [];
    for (const one of [name, ...aliases])
      options.set(one.length === 1 ? `-${one}` : `--${one}`, option);
  }
  return options;
}

function hintOf(args: ArgsDef, name: string): string {
  const definition = args[name];
  return (definition && "valueHint" in definition ? definition.valueHint : undefined) ?? "VALUE";
}

function unknownOption(given: string, { args, elsewhere }: Shape): UsageError {
  const known = optionsOf(args);
  const letters = /^-[^-]+$/.test(given) ? [...given.slice(1)].map((letter) => `-${letter}`) : [];
  const isBundle = letters.length > 1 && letters.every((letter) => known.has(letter));
  // Long ones only: any letter is near to any other, which is no reason to guess.
  const meant = didYouMean(
    given,
    [...known.keys()].filter((option) => option.startsWith("--")),
  );
  const near = meant === null ? "see facron --help" : `did you mean ${meant}?`;
  const guess = elsewhere?.[given] ?? near;
  const cure = isBundle ? `write ${letters.join(" ")} apart` : guess;
  return new UsageError(`Unknown option ${quoted(given)}: ${cure}`);
}

function extraWord(word: string): UsageError {
  const meant = didYouMean(word, commandNames);
  const cure =
    meant === null
      ? "this command takes options only, see facron --help"
      : `did you mean ${meant}? It has to be the first word`;
  return new UsageError(`Unexpected word ${quoted(word)}: ${cure}`);
}
