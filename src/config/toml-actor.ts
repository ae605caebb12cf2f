/** The key `actor` of a `[[rule]]`: whether it tells who did it, and for whom it is. */
import { utf8 } from "../../ffi/bytes.ts";
import { quoted } from "../log.ts";
import { type ActorTraits, anybody, type WrittenActorWish } from "../rule/actor.ts";
import { isPattern } from "./glob-path.ts";
import { syntaxMistake, syntaxMistakeInPath } from "./pattern-syntax.ts";
import type { TomlRule } from "./toml-schema.ts";

type Given = TomlRule["actor"];
type GivenTraits = Pick<Exclude<Given, boolean | undefined>, "exe" | "comm" | "uid">;

/** Takes what is wrong with a value, by its keys below `actor`. */
type Fault = (keys: readonly (string | number)[], message: string) => void;

/** TASK_COMM_LEN (linux/sched.h) without the NUL. */
const commBytesMax = 15;

/** @returns null if the rule does not ask */
export function actorOf(given: Given, fault: Fault): WrittenActorWish | null {
  if (given === undefined || given === false) return null;
  if (given === true) return anybody;
  const { not = {} } = given;
  return {
    only: traitsOf(given, fault),
    not: traitsOf(not, (keys, message) => fault(["not", ...keys], message)),
  };
}

function traitsOf({ exe, comm, uid }: GivenTraits, fault: Fault): ActorTraits<string> {
  return {
    ...(exe === undefined ? {} : { exe: checked("exe", exe, mistakeInExe, fault) }),
    ...(comm === undefined ? {} : { comm: checked("comm", comm, mistakeInComm, fault) }),
    ...(uid === undefined ? {} : { uid: checked("uid", uid, () => null, fault) }),
  };
}

function checked(
  key: "exe" | "comm" | "uid",
  given: string | number | readonly (string | number)[],
  mistakeIn: (text: string) => string | null,
  fault: Fault,
): string[] {
  const isList = typeof given === "object";
  const texts = (isList ? given : [given]).map(String);
  for (const [at, text] of texts.entries()) {
    const mistake = text.includes("\0") ? nul : mistakeIn(text);
    if (mistake !== null) fault(isList ? [key, at] : [key], mistake);
  }
  return texts;
}

const nul = "Unexpected NUL character: no process is called so; remove it";

function mistakeInExe(text: string): string | null {
  const isPath = text.includes("/");
  if (isPath && !text.startsWith("/"))
    return `Cannot use ${quoted(text)} for exe: write the whole path, or only the program's name`;
  if (text.includes("**"))
    return `Cannot use "**" for exe: write one * for each directory, or only the program's name`;
  if (/(?<!\\)\{[^}]*\//.test(text))
    return `Cannot use a slash inside "{...}": list the programs one by one in exe`;
  return syntaxMistakeInPath(text)?.message ?? null;
}

function mistakeInComm(text: string): string | null {
  const isLiteral = !isPattern(text) && !text.includes("\\");
  // Kernel workers, whose names are made up when somebody asks, are the exception.
  if (isLiteral && !text.startsWith("kworker/") && utf8(text).length > commBytesMax)
    return `Cannot use ${quoted(text)} for comm: the kernel keeps ${commBytesMax} bytes of it; write ${quoted(start(text))}, or use exe`;
  return syntaxMistake(text)?.message ?? null;
}

/** As many whole characters as the kernel keeps bytes. */
function start(text: string): string {
  let kept = "";
  for (const character of text) {
    if (utf8(kept + character).length > commBytesMax) break;
    kept += character;
  }
  return kept;
}
