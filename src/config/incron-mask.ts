/** The mask of an incron table: events and options by name, or bits in decimal, separated by commas. */
import { eventBits, type EventName } from "../event.ts";
import { didYouMean } from "./did-you-mean.ts";
import { quotedWord, type Findings } from "./findings.ts";
import type { Field } from "./incron-fields.ts";

export interface IncronMask {
  /** `eventBits`; 0 only if something is wrong. */
  readonly events: number;
  readonly recursive: boolean;
  readonly skipsDotDirectories: boolean;
  readonly skipsWhenBusy: boolean;
  readonly once: boolean;
  readonly refusesFile: boolean;
  readonly refusesSymlink: boolean;
}

/** inotify(7), without the prefix in lower case: the names of our events. */
const events: Readonly<Record<string, number>> = {
  IN_ACCESS: 0x0000_0001,
  IN_MODIFY: 0x0000_0002,
  IN_ATTRIB: 0x0000_0004,
  IN_CLOSE_WRITE: 0x0000_0008,
  IN_CLOSE_NOWRITE: 0x0000_0010,
  IN_OPEN: 0x0000_0020,
  IN_MOVED_FROM: 0x0000_0040,
  IN_MOVED_TO: 0x0000_0080,
  IN_CREATE: 0x0000_0100,
  IN_DELETE: 0x0000_0200,
  IN_DELETE_SELF: 0x0000_0400,
  IN_MOVE_SELF: 0x0000_0800,
  IN_UNMOUNT: 0x0000_2000,
};

const others = {
  IN_Q_OVERFLOW: 0x0000_4000,
  IN_IGNORED: 0x0000_8000,
  IN_ONLYDIR: 0x0100_0000,
  IN_DONT_FOLLOW: 0x0200_0000,
  IN_ISDIR: 0x4000_0000,
  IN_ONESHOT: 0x8000_0000,
} as const;

const symbols: Readonly<Record<string, number>> = {
  ...events,
  ...others,
  IN_CLOSE: 0x0000_0018,
  IN_MOVE: 0x0000_00c0,
  IN_ALL_EVENTS: 0x0000_0fff,
};

const options = [
  "IN_NO_LOOP",
  ...["recursive", "dotdirs", "loopable"].flatMap((name) => [`${name}=true`, `${name}=false`]),
];

const known = Object.values(symbols).reduce((all, bits) => all | bits, 0);

/** What inotify knows and incron's tables cannot say; a number could. */
const namesOfOthers: Readonly<Record<number, string>> = {
  0x0400_0000: "IN_EXCL_UNLINK",
  0x1000_0000: "IN_MASK_CREATE",
  0x2000_0000: "IN_MASK_ADD",
};

/** The mask in `field`, as far as it can be told: what is wrong with it, `findings` then have. */
export function readIncronMask(field: Field, findings: Findings): IncronMask {
  const before = findings.errorCount;
  const set = new Set<string>();
  let bits = 0;
  for (const piece of piecesOf(field)) {
    if (options.includes(piece.text)) set.add(piece.text);
    else bits |= bitsOf(piece, findings);
  }
  warnAboutIdle(field, bits, findings);
  if (set.has("loopable=true")) findings.warning(placeOf(field, "loopable=true"), loopable);
  const found = eventsIn(bits);
  if (found === 0 && findings.errorCount === before) {
    findings.error(
      field,
      `Missing event in ${quotedWord(field.text)}: add one, e.g. IN_CLOSE_WRITE`,
    );
  }
  return {
    events: found,
    recursive: !set.has("recursive=false"),
    skipsDotDirectories: !set.has("dotdirs=true"),
    skipsWhenBusy: set.has("IN_NO_LOOP") || set.has("loopable=true"),
    once: (bits & others.IN_ONESHOT) !== 0,
    refusesFile: (bits & others.IN_ONLYDIR) !== 0,
    refusesSymlink: (bits & others.IN_DONT_FOLLOW) !== 0,
  };
}

/**
 * README and incrontab(5) say that loopable=true leaves out what happens while the command runs; its
 * name says the opposite, and 0.5.12 does nothing at all about it. What is documented counts.
 */
const loopable =
  "Option loopable=true leaves out what happens while the command runs, as incron's manual has it (incron 0.5.12 itself ignores it); write IN_NO_LOOP to say it plainly, or remove it to run the command for every event";

function piecesOf({ text, from }: Field): Field[] {
  let at = from;
  return text.split(",").flatMap((piece) => {
    const start = at;
    at += piece.length + 1;
    return piece === "" ? [] : [{ text: piece, from: start, length: piece.length }];
  });
}

/** 0 if it is nothing that we know. */
function bitsOf(piece: Field, findings: Findings): number {
  const { text } = piece;
  if (/^\d+$/.test(text)) return bitsInNumber(piece, findings);
  if (Object.hasOwn(symbols, text)) return symbols[text]!;
  findings.error(piece, unknown(text));
  return 0;
}

function bitsInNumber(piece: Field, findings: Findings): number {
  const number = Number(piece.text);
  const shown = quotedWord(piece.text);
  if (number > 0xffff_ffff) {
    findings.error(piece, `Cannot use ${shown} as a mask: it has more than 32 bits; write names`);
    return 0;
  }
  const strange = Array.from({ length: 32 }, (_, bit) => 2 ** bit).filter(
    (bit) => (number & bit & ~known) !== 0,
  );
  if (strange.length > 0) {
    const names = strange.map((bit) => namesOfOthers[bit] ?? `0x${bit.toString(16)}`);
    const cure = `leave out ${names.join(", ")}, which makes ${(number & known) >>> 0}`;
    findings.error(piece, `Unknown bits in ${shown}: ${cure}`);
  }
  return number;
}

function unknown(text: string): string {
  const shown = quotedWord(text);
  if (text.includes("|") && text.split("|").every((one) => Object.hasOwn(symbols, one))) {
    return `Cannot join events by "|" in ${shown}: separate them by commas, any of them counts`;
  }
  const meant = didYouMean(text, [...Object.keys(symbols), ...options]);
  if (meant !== null) return `Unknown event ${shown}: did you mean ${meant}?`;
  if (/^FAN_/i.test(text)) {
    return `Unknown event ${shown}: FAN_ names are for facron tables; write IN_CLOSE_WRITE or the like, or choose --format facron`;
  }
  if (/^0x/i.test(text)) return `Unknown event ${shown}: write the number in decimal, or names`;
  if (text.includes("=")) {
    return `Unknown option ${shown}: there are recursive=, dotdirs= and loopable=, each true or false`;
  }
  return `Unknown event ${shown}: write names like IN_CLOSE_WRITE,IN_MOVED_TO, without blanks`;
}

const idle: Readonly<Record<string, string>> = {
  IN_ISDIR: "events of directories and of files count anyway",
  IN_IGNORED: "no command is ever run for it",
  IN_Q_OVERFLOW: "it has no path to run a command for; a lost event is always logged",
};

function warnAboutIdle(field: Field, bits: number, findings: Findings): void {
  for (const [name, why] of Object.entries(idle)) {
    if ((bits & symbols[name]!) === 0) continue;
    findings.warning(placeOf(field, name), `Mask ${name} does nothing: ${why}; leave it out`);
  }
}

/** Of a name in it; all of it if that is not written there. */
function placeOf(field: Field, name: string): Field {
  return piecesOf(field).find(({ text }) => text === name) ?? field;
}

function eventsIn(bits: number): number {
  return Object.entries(events).reduce((found, [name, bit]) => {
    const event = name.slice("IN_".length).toLowerCase() as EventName;
    return (bits & bit) === 0 ? found : found | eventBits[event];
  }, 0);
}
