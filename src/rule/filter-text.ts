/** Filters in words: what they let through, and why they do not. */
import { fromLatin1, lossyText } from "../../ffi/bytes.ts";
import { quoted } from "../log.ts";
import { sizeText } from "./size.ts";
import { type Filter, type LeftOut, RuleFilter } from "./filter.ts";
import { noDisk, watchedItself } from "./subject.ts";

/** As a sentence goes on behind "left out by ". */
export function leftOutText(reason: LeftOut, filter: Filter): string {
  const { include = [], types = [], minSize = 0, maxSize = 0 } = filter;
  switch (reason.by) {
    case "include":
      return `include: it is not ${orList(include.map((one) => quoted(one)))}`;
    case "exclude":
      return `exclude ${quoted(fromLatin1(reason.glob.text))}`;
    case "ignore file": {
      const { file, line, glob } = reason.line;
      return `ignore file ${lossyText(file)}:${line}, ${quoted(fromLatin1(glob.text))}`;
    }
    case "type":
      return `type: it is not ${orList(types.map((type) => quoted(type)))}`;
    case "min_size":
      return `min_size: it is smaller than ${sizeText(minSize)}`;
    case "max_size":
      return `max_size: it is larger than ${sizeText(maxSize)}`;
    case "size of no file":
      return `${filter.minSize === undefined ? "max_size" : "min_size"}: only files have a size`;
  }
}

/** Why a rule hears nothing of a file that it watches, as a clause with its cure; null if it does. */
export function whyNeverHeard(filter: Filter, path: Uint8Array): string | null {
  const subject = { ...watchedItself(path), isDirectory: false, isOfWatch: false, facts: null };
  const reason = new RuleFilter(filter, noDisk).judgeName(subject);
  if (reason === null) return null;
  return `it is left out by ${leftOutText(reason, filter)}; correct that, or watch its directory`;
}

/** What of everything that happens is meant: `only "*.csv"`, `not "*.part"`. */
export function filterTexts(filter: Filter): string[] {
  const { include, exclude, types, minSize, maxSize, ignoreFiles } = filter;
  const all = (list: readonly Uint8Array[]): string => orList(list.map((one) => quoted(one)));
  return [
    ...(include === undefined ? [] : [`only ${all(include)}`]),
    ...(exclude === undefined ? [] : [`not ${all(exclude)}`]),
    ...(types === undefined ? [] : [`only ${orList(types.map((type) => plurals[type]))}`]),
    ...(minSize === undefined ? [] : [`only files of at least ${sizeText(minSize)}`]),
    ...(maxSize === undefined ? [] : [`only files of at most ${sizeText(maxSize)}`]),
    ...(ignoreFiles === undefined ? [] : [`not what ${all(ignoreFiles)} ignores`]),
  ];
}

const plurals = { file: "files", dir: "directories", symlink: "symbolic links", other: "others" };

function orList(said: readonly string[]): string {
  if (said.length < 2) return said.join("");
  return `${said.slice(0, -1).join(", ")} or ${said.at(-1)}`;
}
