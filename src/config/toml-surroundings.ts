/** The keys of a `[[rule]]` or of `[facron]` about what the kernel gives a command. */
import { latin1, lossyText, utf8 } from "../../ffi/bytes.ts";
import { quoted } from "../log.ts";
import { isEventVariable } from "../rule/event-environment.ts";
import type { CgroupLimits, Output } from "../rule/policy.ts";
import { sizeOf } from "../rule/size.ts";
import { valueNames } from "../rule/template.ts";
import { didYouMean } from "./did-you-mean.ts";
import type { ActionKeys } from "./toml-action-schema.ts";
import type { Cgroup, PlainSurroundings } from "./toml-given.ts";
import { present } from "./toml-policy.ts";
import type { TomlTable } from "./toml-table.ts";
import { absolutePath } from "./watch-path.ts";

export function surroundingsOf(given: ActionKeys, table: TomlTable): PlainSurroundings {
  return present<PlainSurroundings>({
    cwd: pathOf("cwd", given.cwd, table),
    environment: given.env && environmentOf(given.env, table),
    group: given.group === undefined ? undefined : String(given.group),
    umask: umaskOf(given.umask, table),
    nice: given.nice,
    session: given.session,
    output: outputOf(given.output, table),
  });
}

/** Less than that no program starts in. */
const memoryMaxMin = 1024 * 1024;

/** Null if the table says nothing of it. */
export function cgroupOf(given: ActionKeys, table: TomlTable): Cgroup | null {
  const { cgroup, memory_max, pids_max: pidsMax } = given;
  const memoryMax = memoryMaxOf(memory_max, table);
  const limit = (["memory_max", "pids_max"] as const).find((key) => given[key] !== undefined);
  if (cgroup === false && limit !== undefined)
    table.error(
      ["cgroup"],
      `Cannot use cgroup = false with ${limit}: a limit is one of a cgroup; remove one of the two`,
    );
  if (cgroup === false) return false;
  const isNone = cgroup === undefined && limit === undefined;
  return isNone ? null : present<CgroupLimits>({ memoryMax, pidsMax });
}

function memoryMaxOf(given: string | number | undefined, table: TomlTable): number | undefined {
  const bytes = typeof given === "string" ? sizeOf(given) : given;
  if (bytes === undefined) return undefined;
  if (typeof bytes === "string") table.error(["memory_max"], bytes);
  else if (bytes >= memoryMaxMin) return bytes;
  else
    table.refuse(
      ["memory_max"],
      String(given),
      'no program starts in less than "1MiB"; write a size with its unit, e.g. "512MiB"',
    );
  return undefined;
}

const placeholder = new RegExp(`\\{(${valueNames.join("|")})\\}`);

/** Absolute. */
export function pathOf(
  key: "cwd" | "output" | "state_dir" | "runtime_dir",
  text: string | undefined,
  table: TomlTable,
): string | undefined {
  if (text === undefined || !table.refuseNul(table.text(text, key))) return undefined;
  const found = placeholder.exec(text)?.[0];
  if (found !== undefined) {
    const why = "it is the same for every run";
    table.error([key], `Cannot use ${found} in ${key}: ${why}; write a path without it`);
    return undefined;
  }
  return lossyText(absolutePath(latin1(utf8(text)), latin1(utf8(table.context.cwd))));
}

const outputWords = ["log", "inherit", "null"] as const;

function outputOf(text: string | undefined, table: TomlTable): Output | undefined {
  if (text === undefined) return undefined;
  const kind = outputWords.find((word) => word === text);
  if (kind !== undefined) return { kind };
  if (!text.includes("/")) {
    const meant = didYouMean(text, outputWords);
    const cure =
      meant === null
        ? `write ${outputWords.map(quoted).join(", ")} or the path of a file, e.g. ${quoted(`./${text}`)}`
        : `did you mean ${quoted(meant)}?`;
    table.error(["output"], `Unknown output ${quoted(text)}: ${cure}`);
    return undefined;
  }
  if (text.endsWith("/")) {
    table.refuse(["output"], text, "it is a directory; name a file in it");
    return undefined;
  }
  const path = pathOf("output", text, table);
  return path === undefined ? undefined : { kind: "file", path };
}

function environmentOf(
  env: Readonly<Record<string, string>>,
  table: TomlTable,
): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(env)) {
    const mistake = mistakeInVariable(name, value);
    if (mistake !== null) table.error(["env", name], mistake);
  }
  return env;
}

function mistakeInVariable(name: string, value: string): string | null {
  if (name === "" || name.includes("="))
    return `Cannot set ${quoted(name)}: no variable is called so; write env = { NAME = "value" }`;
  if (`${name}${value}`.includes("\0"))
    return "Unexpected NUL character: no variable can hold one; remove it";
  if (isEventVariable(name))
    return `Cannot set ${name}: facron sets it for each run, from the event; choose another name`;
  const found = placeholder.exec(value)?.[0];
  if (found === undefined) return null;
  return `Cannot use ${found} in env: values are passed on as they are written; the event is in FACRON_PATH and the like`;
}

/** A number says in the file only, and not by its value, whether it was meant as octal. */
function umaskOf(given: string | number | undefined, table: TomlTable): number | undefined {
  if (given === undefined) return undefined;
  const written = typeof given === "string" ? given : table.written("umask");
  if (typeof given === "number" && given !== 0 && !written.startsWith("0o")) {
    const octal = /^[0-7]{1,3}$/.test(written) ? written.padStart(3, "0") : "022";
    table.refuse(["umask"], written, `it is decimal, and umasks are octal; write "${octal}"`);
    return undefined;
  }
  if (/^(0o)?0?[0-7]{1,3}$/.test(written)) return Number.parseInt(written.replace("0o", ""), 8);
  table.refuse(["umask"], written, 'it is no umask; write up to three octal digits, e.g. "027"');
  return undefined;
}
