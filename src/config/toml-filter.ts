/** The keys of a `[[rule]]` that say which files it is for: include, exclude, type, sizes, ignore files. */
import { lossyText, utf8 } from "../../ffi/bytes.ts";
import { quoted } from "../log.ts";
import type { Filter } from "../rule/filter.ts";
import type { WatchPath } from "../rule/rule.ts";
import { filterPatternMistake } from "./filter-pattern.ts";
import { ignoreFileOf } from "./ignore-file-name.ts";
import type { Findings } from "./findings.ts";
import { sizeOf } from "../rule/size.ts";
import type { Span } from "./span.ts";
import type { TomlPath } from "./toml-places.ts";
import type { TomlRule } from "./toml-schema.ts";

interface FilterContext {
  readonly findings: Findings;
  readonly cwd: string;
  readonly watch: readonly WatchPath[];
  /** Where a key's value stands. */
  readonly spanOf: (...keys: TomlPath) => Span;
}

/** A gate has no `ignore_files`. */
type FilterKeys = Pick<
  TomlRule,
  "include" | "exclude" | "type" | "min_size" | "max_size" | "ignore_files"
>;

/** Absent if the rule has none of the keys. */
export function filterOf(given: FilterKeys, context: FilterContext): { readonly filter?: Filter } {
  const { findings, cwd, spanOf } = context;
  const include = patterns("include", given.include, context);
  const exclude = patterns("exclude", given.exclude, context);
  const types = given.type === undefined ? undefined : [given.type].flat();
  const minSize = size("min_size", given.min_size, context);
  const maxSize = size("max_size", given.max_size, context);
  if (minSize !== undefined && maxSize !== undefined && maxSize < minSize)
    findings.error(
      spanOf("max_size"),
      "Cannot use max_size below min_size: no file has such a size; exchange them",
    );
  const files = listed("ignore_files", given.ignore_files, context);
  const ignoreFiles = files?.flatMap(({ text, span }) => {
    const file = ignoreFileOf(text, cwd);
    if (typeof file !== "string") return [file];
    findings.error(span, file);
    return [];
  });
  const filter = {
    ...(include === undefined ? {} : { include }),
    ...(exclude === undefined ? {} : { exclude }),
    ...(types === undefined ? {} : { types }),
    ...(minSize === undefined ? {} : { minSize }),
    ...(maxSize === undefined ? {} : { maxSize }),
    ...(ignoreFiles === undefined ? {} : { ignoreFiles }),
  };
  return Object.keys(filter).length === 0 ? {} : { filter };
}

type ListKey = "include" | "exclude" | "ignore_files";

function listed(
  key: ListKey,
  given: string | readonly string[] | undefined,
  { spanOf }: FilterContext,
): { readonly text: string; readonly span: Span }[] | undefined {
  if (typeof given === "string") return [{ text: given, span: spanOf(key) }];
  return given?.map((text, at) => ({ text, span: spanOf(key, at) }));
}

function patterns(
  key: "include" | "exclude",
  given: string | readonly string[] | undefined,
  context: FilterContext,
): Uint8Array[] | undefined {
  return listed(key, given, context)?.map(({ text, span }) => {
    const mistake = filterPatternMistake(text);
    if (mistake !== null) context.findings.error(span, mistake);
    else warnOfWatch(text, span, context);
    return utf8(text);
  });
}

/** A pattern is easily written as the whole path. */
function warnOfWatch(text: string, span: Span, { findings, watch }: FilterContext): void {
  const above = watch
    .map(({ path }) => lossyText(path))
    .find((path) => text.startsWith(`${path}/`));
  if (above === undefined) return;
  findings.warning(
    span,
    `Pattern ${quoted(text)} matches nothing: it is for paths below ${quoted(above)}; write ${quoted(text.slice(above.length))}`,
  );
}

function size(
  key: "min_size" | "max_size",
  given: string | number | undefined,
  { findings, spanOf }: FilterContext,
): number | undefined {
  const bytes = typeof given === "string" ? sizeOf(given) : given;
  if (typeof bytes !== "string") return bytes;
  findings.error(spanOf(key), bytes);
  return undefined;
}
