/** Decisions as JSON lines, but for their start: the reader numbers them, and writes them out. */
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { actorJson } from "../output/actor-json.ts";
import { escapedBytesMax, escapeInto, wasNotUtf8 } from "../output/json-text.ts";
import type { ActorFacts } from "../rule/actor.ts";
import { gateNamesOf, type PlannedGate, type Verdict } from "../rule/gate.ts";

/** What the verdict came from: the gate's own word, an answer known already, or the command's; or what had to do for one. */
export type DecidedBy = "verdict" | "cache" | "command" | "timeout" | "error";

export interface Decision {
  readonly gate: PlannedGate;
  readonly verdict: Verdict;
  readonly by: DecidedBy;
  /** `gateBits` */
  readonly events: number;
  readonly path: Uint8Array;
  /** 0: not known. */
  readonly pid: number;
  readonly actor: ActorFacts;
  /** From the reading of the question to its answer. */
  readonly waitedMicroseconds: number;
}

const capacityAtFirst = 16 * 1024;

/** Fixed parts of a line behind the path are below this. */
const fixedBytesMax = 256;

export class DecisionWriter {
  /** Of each gate, by verdict and events: `"gate":"a","verdict":"deny","on":["open_perm"],"path":"` */
  readonly #heads = new WeakMap<PlannedGate, Uint8Array[]>();
  #bytes = new Uint8Array(capacityAtFirst);
  #end = 0;

  get byteLength(): number {
    return this.#end;
  }

  add({ gate, verdict, by, events, path, pid, actor, waitedMicroseconds }: Decision): void {
    const head = this.#headOf(gate, verdict, events);
    this.#reserve(head.length + path.length * escapedBytesMax);
    this.#copy(head);
    this.#end = escapeInto(this.#bytes, this.#end, path, 0, path.length);
    const exactly = wasNotUtf8 ? `,"path_bytes":"${btoa(latin1(path))}"` : "";
    this.#text(pid === 0 ? '"' : `","pid":${pid}`);
    this.#copyAll(actorJson(actor));
    this.#text(`${exactly},"waited_us":${Math.round(waitedMicroseconds)},"by":"${by}"}\n`);
  }

  /** The lines so far as a buffer of their own; the writer starts anew. */
  take(): ArrayBuffer {
    const buffer = this.#bytes.buffer.slice(0, this.#end);
    this.#end = 0;
    return buffer;
  }

  #headOf(gate: PlannedGate, verdict: Verdict, events: number): Uint8Array {
    const heads = this.#heads.get(gate) ?? [];
    this.#heads.set(gate, heads);
    const at = events * 2 + (verdict === "deny" ? 1 : 0);
    return (heads[at] ??= headOf(gate, verdict, events));
  }

  #text(text: string): void {
    this.#copyAll(utf8(text));
  }

  #copyAll(piece: Uint8Array): void {
    this.#reserve(piece.length);
    this.#copy(piece);
  }

  #copy(piece: Uint8Array): void {
    this.#bytes.set(piece, this.#end);
    this.#end += piece.length;
  }

  #reserve(room: number): void {
    if (this.#end + room + fixedBytesMax <= this.#bytes.length) return;
    const bytes = new Uint8Array(
      Math.max(this.#bytes.length * 2, this.#end + room + fixedBytesMax),
    );
    bytes.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = bytes;
  }
}

function headOf({ name }: PlannedGate, verdict: Verdict, events: number): Uint8Array {
  const on = JSON.stringify(gateNamesOf(events));
  return utf8(`"gate":${JSON.stringify(name)},"verdict":"${verdict}","on":${on},"path":"`);
}
