/** What a command is told of its event in its environment, whatever dialect its rule is written in. */
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { fillValue, type Filling, type Question, type Source, type ValueName } from "./template.ts";

interface Variable {
  readonly name: string;
  readonly value: ValueName;
  /** Whether there is anything to say; it is left out else. */
  readonly isKnown?: (filling: Filling) => boolean;
}

const variables: readonly Variable[] = [
  { name: "FACRON_PATH", value: "path" },
  { name: "FACRON_NAME", value: "name" },
  { name: "FACRON_DIR", value: "dir" },
  { name: "FACRON_FROM", value: "from", isKnown: ({ from }) => from.length > 0 },
  { name: "FACRON_EVENTS", value: "events" },
  { name: "FACRON_PID", value: "pid", isKnown: ({ pid }) => pid > 0 },
  { name: "FACRON_COMM", value: "comm", isKnown: ({ actor }) => (actor?.comm ?? null) !== null },
  { name: "FACRON_EXE", value: "exe", isKnown: ({ actor }) => (actor?.exe ?? null) !== null },
  { name: "FACRON_UID", value: "uid", isKnown: ({ actor }) => (actor?.uid ?? null) !== null },
  { name: "FACRON_RULE", value: "rule" },
  { name: "FACRON_SEQ", value: "seq", isKnown: ({ question }) => question === undefined },
  { name: "FACRON_ERROR", value: "error", isKnown: ({ failure }) => failure !== undefined },
];

const prefixes = variables.map(({ name }) => utf8(`${name}=`));

const attemptsName = "FACRON_ATTEMPTS";
const countName = "FACRON_COUNT";
const gateName = "FACRON_GATE";
const offsetName = "FACRON_OFFSET";

/** `NAME=value` entries, byte for byte. */
export function eventEnvironment(filling: Filling, source: Source): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let i = 0; i < variables.length; i++) {
    const { value, isKnown } = variables[i]!;
    if (isKnown !== undefined && !isKnown(filling)) continue;
    entries.push(entry(prefixes[i]!, fillValue(value, filling, source)));
  }
  const { count = 1, failure, question } = filling;
  if (count > 1) entries.push(utf8(`${countName}=${count}`));
  if (failure !== undefined) entries.push(utf8(`${attemptsName}=${failure.attempts}`));
  if (question !== undefined) addQuestion(entries, question);
  return entries;
}

/** No line tells of a question: it has no number. */
function addQuestion(entries: Uint8Array[], { gate, range }: Question): void {
  entries.push(utf8(`${gateName}=${gate}`));
  if (range === null) return;
  entries.push(utf8(`${offsetName}=${range.offset}`), utf8(`${countName}=${range.count}`));
}

function entry(prefix: Uint8Array, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(prefix.length + value.length);
  bytes.set(prefix);
  bytes.set(value, prefix.length);
  return bytes;
}

const others = [attemptsName, countName, gateName, offsetName];
const names = new Set([...variables.map(({ name }) => name), ...others]);

/** Whether it is one of those that tell a command of its event. */
export function isEventVariable(name: string): boolean {
  return names.has(name);
}

/** Without what another facron said of another event. */
export function withoutEventVariables(environment: readonly Uint8Array[]): Uint8Array[] {
  return environment.filter((one) => {
    const text = latin1(one);
    return !names.has(text.slice(0, text.indexOf("=")));
  });
}
