/** The mask of an incron table: names or a number, and options among them. */
import { eventBits } from "../event.ts";
import type { Rule, WatchPath } from "../rule/rule.ts";
import { didYouMean } from "./did-you-mean.ts";
import { quotedWord, type Findings } from "./findings.ts";
import type { Piece } from "./incron-fields.ts";

export interface IncronMask {
  readonly events: number;
  readonly watch: Omit<WatchPath, "path" | "isGlob">;
  readonly rule: Pick<Rule, "whenBusy" | "once">;
}

/** inotify(7) and `eventBits`, which have these values in common. */
const events: Readonly<Record<string, number>> = {
  IN_ACCESS: eventBits.access,
  IN_MODIFY: eventBits.modify,
  IN_ATTRIB: eventBits.attrib,
  IN_CLOSE_WRITE: eventBits.close_write,
  IN_CLOSE_NOWRITE: eventBits.close_nowrite,
  IN_OPEN: eventBits.open,
  IN_MOVED_FROM: eventBits.moved_from,
  IN_MOVED_TO: eventBits.moved_to,
  IN_CREATE: eventBits.create,
  IN_DELETE: eventBits.delete,
  IN_DELETE_SELF: eventBits.delete_self,
  IN_MOVE_SELF: eventBits.move_self,
  IN_UNMOUNT: eventBits.unmount,
  IN_Q_OVERFLOW: eventBits.q_overflow,
};

const groups: Readonly<Record<string, readonly string[]>> = {
  IN_CLOSE: ["IN_CLOSE_WRITE", "IN_CLOSE_NOWRITE"],
  IN_MOVE: ["IN_MOVED_FROM", "IN_MOVED_TO"],
  IN_ALL_EVENTS: Object.keys(events).slice(0, 12),
};

/** inotify(7)'s own values, for masks that are numbers. */
const bitNames: readonly (readonly [number, string])[] = [
  [0x0000_0001, "IN_ACCESS"],
  [0x0000_0002, "IN_MODIFY"],
  [0x0000_0004, "IN_ATTRIB"],
  [0x0000_0008, "IN_CLOSE_WRITE"],
  [0x0000_0010, "IN_CLOSE_NOWRITE"],
  [0x0000_0020, "IN_OPEN"],
  [0x0000_0040, "IN_MOVED_FROM"],
  [0x0000_0080, "IN_MOVED_TO"],
  [0x0000_0100, "IN_CREATE"],
  [0x0000_0200, "IN_DELETE"],
  [0x0000_0400, "IN_DELETE_SELF"],
  [0x0000_0800, "IN_MOVE_SELF"],
  [0x0000_2000, "IN_UNMOUNT"],
  [0x0000_4000, "IN_Q_OVERFLOW"],
  [0x0000_8000, "IN_IGNORED"],
  [0x0100_0000, "IN_ONLYDIR"],
  [0x0200_0000, "IN_DONT_FOLLOW"],
  [0x4000_0000, "IN_ISDIR"],
  [0x8000_0000, "IN_ONESHOT"],
];

const options = ["recursive", "dotdirs", "loopable"] as const;
const flags = ["IN_ONLYDIR", "IN_DONT_FOLLOW", "IN_ONESHOT", "IN_NO_LOOP"];
const idle: Readonly<Record<string, string>> = {
  IN_ISDIR: "directories are told of anyway",
  IN_IGNORED: "it tells of the end of a watch and starts nothing",
};

const names = [...Object.keys(events), ...Object.keys(groups), ...flags, ...Object.keys(idle)];
const suggestions = [...names, ...options.flatMap((one) => [`${one}=true`, `${one}=false`])];

/** Null if there is something wrong with it, which `findings` then have. */
export function readIncronMask(mask: Piece, findings: Findings): IncronMask | null {
  const before = findings.errorCount;
  const reader = new MaskReader(findings);
  for (const piece of pieces(mask)) reader.take(piece);
  if (reader.events === 0 && findings.errorCount === before)
    findings.error(mask, `Missing event in ${quotedWord(mask.text)}: add one, e.g. IN_CLOSE_WRITE`);
  return findings.errorCount > before ? null : reader.result;
}

function* pieces(mask: Piece): Generator<Piece> {
  let from = mask.from;
  for (const text of mask.text.split(",")) {
    if (text !== "") yield { text, from, length: text.length };
    from += text.length + 1;
  }
}

class MaskReader {
  readonly #findings: Findings;
  readonly #set = new Set<string>();
  readonly #options = new Map<string, boolean>();
  events = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  get result(): IncronMask {
    // incron 0.5.12 follows directories down unless it is told not to, and not those with a dot.
    const recursive = this.#options.get("recursive") ?? true;
    const skipsBusy = this.#set.has("IN_NO_LOOP") || this.#options.get("loopable") === true;
    return {
      events: this.events,
      watch: {
        recursive,
        ...(recursive && this.#options.get("dotdirs") !== true
          ? { skipsDotDirectories: true }
          : {}),
        ...(this.#set.has("IN_DONT_FOLLOW") ? { refusesSymlink: true } : {}),
        ...(this.#set.has("IN_ONLYDIR") ? { refusesFile: true } : {}),
      },
      rule: {
        ...(skipsBusy ? { whenBusy: "skip" as const } : {}),
        ...(this.#set.has("IN_ONESHOT") ? { once: true } : {}),
      },
    };
  }

  take(piece: Piece): void {
    if (/^\d+$/.test(piece.text)) return this.#takeNumber(piece);
    if (piece.text.includes("=")) return this.#takeOption(piece);
    this.#takeName(piece.text, piece);
  }

  #takeName(name: string, piece: Piece): void {
    const group = groups[name];
    if (group !== undefined) for (const one of group) this.events |= events[one]!;
    else if (events[name] !== undefined) this.events |= events[name];
    else if (flags.includes(name)) this.#set.add(name);
    else if (idle[name] !== undefined)
      this.#findings.warning(
        piece,
        `Name ${quotedWord(name)} does nothing here: ${idle[name]}; leave it out`,
      );
    else this.#findings.error(piece, unknownName(name));
  }

  #takeNumber(piece: Piece): void {
    const mask = Number(piece.text);
    const known = bitNames.filter(([bit]) => Math.floor(mask / bit) % 2 === 1);
    const rest = mask - known.reduce((sum, [bit]) => sum + bit, 0);
    if (rest !== 0) {
      const cure = "write the names, e.g. IN_CLOSE_WRITE,IN_MOVED_TO";
      this.#findings.error(
        piece,
        `Unknown bits 0x${rest.toString(16)} in ${quotedWord(piece.text)}: ${cure}`,
      );
    } else for (const [, name] of known) this.#takeName(name, piece);
  }

  #takeOption(piece: Piece): void {
    const [key = "", value = ""] = piece.text.split("=");
    const known = options.find((one) => one === key);
    if (known === undefined || (value !== "true" && value !== "false"))
      return this.#findings.error(piece, unknownName(piece.text));
    this.#options.set(key, value === "true");
    if (key === "loopable" && value === "true")
      this.#findings.warning(
        piece,
        "Option loopable=true is read as incron's manual has it: what happens while the command runs starts no other; write IN_NO_LOOP to say it plainly, or leave it out",
      );
  }
}

function unknownName(name: string): string {
  const meant = didYouMean(name, suggestions);
  const cure =
    meant === null
      ? "write names like IN_CLOSE_WRITE, separated by commas"
      : `did you mean ${meant}?`;
  return `Unknown name ${quotedWord(name)}: ${cure}`;
}

/** Whether a text can only be a mask: for lines in which something else stands there. */
export function isIncronMask(text: string): boolean {
  const parts = text.split(",");
  return (
    parts.some((one) => /^IN_/.test(one)) &&
    parts.every((one) => suggestions.includes(one) || one === "")
  );
}
