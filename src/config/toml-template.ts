/** An argument of `run`: text with `{path}` and the like in it. */
import { utf8 } from "../../ffi/bytes.ts";
import { quoted } from "../log.ts";
import { type Part, rangeValues, type ValueName, valueNames, type Word } from "../rule/template.ts";
import { didYouMean } from "./did-you-mean.ts";

/** A piece between braces, or a brace of its own; doubled braces are text. */
const piece = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;

/**
 * @param values those that it can hold: `valueNames` or `gateValues`
 * @param fault takes each mistake, with its place in `text`
 */
export function templateOf(
  text: string,
  values: readonly ValueName[],
  fault: (at: number, length: number, message: string) => void,
): Word {
  const parts: Part[] = [];
  let literal = "";
  let end = 0;
  let paths = -1;
  for (const match of text.matchAll(piece)) {
    literal += text.slice(end, match.index);
    end = match.index + match[0].length;
    if (match[0] === "{{" || match[0] === "}}") literal += match[0][0];
    else {
      const value = values.find((name) => name === match[1]);
      if (value === undefined)
        fault(match.index, match[0].length, mistake(match[0], match[1], values));
      else {
        if (value === "paths") paths = match.index;
        if (literal !== "") parts.push({ literal: utf8(literal) });
        literal = "";
        parts.push({ value });
      }
    }
  }
  literal += text.slice(end);
  if (literal !== "" || parts.length === 0) parts.push({ literal: utf8(literal) });
  if (paths >= 0 && parts.length > 1) fault(paths, "{paths}".length, pathsInside);
  return parts;
}

const pathsInside =
  'Cannot use "{paths}" inside a word: it becomes an argument for each path; make it a word of its own';

function mistake(written: string, name: string | undefined, values: readonly ValueName[]): string {
  if (name === undefined)
    return `Unexpected ${quoted(written)}: a brace of its own is written twice, ${written}${written}`;
  if (rangeValues.some((one) => one === name))
    return `Cannot use ${quoted(written)} in a rule: it is for ask in a [[gate]]; remove it`;
  if (valueNames.some((one) => one === name))
    return `Cannot use ${quoted(written)} in ask: nothing has happened yet; it can have ${values.join(", ")}`;
  const meant = didYouMean(name, values);
  const isPrintable = quoted(name) === `"${name}"`;
  const cure =
    meant === null
      ? `write {path}, {name}, {dir} or another of the manual's; for braces of its own ${isPrintable ? `{{${name}}}` : "{{ and }}"}`
      : `did you mean {${meant}}?`;
  return `Unknown value ${quoted(written)}: ${cure}`;
}

/** The way back: the text that `templateOf` makes this word of. */
export function templateText(parts: Word, decode: (bytes: Uint8Array) => string): string {
  const texts = parts.map((part) =>
    "literal" in part
      ? decode(part.literal).replace(/[{}]/g, "$&$&")
      : `{${part.value satisfies ValueName}}`,
  );
  return texts.join("");
}
