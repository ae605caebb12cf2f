/** `facron schema`: the JSON Schema of the TOML, for editors. */
import { tomlJsonSchema } from "../config/toml-schema.ts";
import { type Shape, strictArguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import type { ExitCode } from "./exit-code.ts";
import { print } from "./print.ts";

const shape: Shape = { args: {}, words: null };

export function schema({ words }: Context): ExitCode {
  strictArguments(words, shape);
  return print(`${JSON.stringify(tomlJsonSchema(), null, 2)}\n`);
}
