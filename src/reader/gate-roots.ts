/** What the gate thread is told: where the roots of gates really are, before the kernel holds anything there. */
import type { MessagePort } from "node:worker_threads";
import { latin1 } from "../../ffi/bytes.ts";
import { signalEventfd } from "../../ffi/eventfd.ts";
import { type FileStatus, readLink, S_IFDIR } from "../../ffi/files.ts";
import { type FromReaderToGate, type GateClaim, gateCells } from "../gate/messages.ts";
import { writtenPattern } from "../rule/glob.ts";
import type { Claim } from "./claims.ts";
import type { PlannedGates } from "./gate-plan.ts";

export class GateRoots {
  #gates: PlannedGates | null = null;
  #port: MessagePort | null = null;
  /** By the path as configured: what was said of it under this plan, and which file it was about. */
  readonly #said = new Map<string, { readonly text: string; readonly inode: string }>();

  /** Each plan hears of all its roots anew. */
  beginPlan(gates: PlannedGates | null): void {
    this.#gates = gates;
    this.#port = gates?.rootsPort ?? this.#port;
    this.#said.clear();
  }

  /** Those that the gate thread knows. */
  get keys(): readonly string[] {
    return [...this.#said.keys()];
  }

  /** Of a root that is known, which file it is. */
  inodeOf(key: string): string | null {
    return this.#said.get(key)?.inode ?? null;
  }

  /** @param held a path that leads to what is at the root, NUL-terminated: its descriptor's */
  say(
    key: string,
    {
      held,
      status: { inode, kind },
      claims,
    }: { held: Uint8Array; status: FileStatus; claims: readonly Claim[] },
  ): void {
    if (this.#gates === null) return;
    const { generation } = this.#gates;
    const path = readLink(held);
    const isDirectory = kind === S_IFDIR;
    const text = `${inode} ${isDirectory} ${latin1(path)}`;
    if (this.#said.get(key)?.text === text) return;
    this.#said.set(key, { text, inode });
    const root = { generation, key, path, inode, isDirectory, claims: claims.map(gateClaim) };
    this.#send({ kind: "root", root });
  }

  gone(key: string): void {
    if (this.#gates === null || !this.#said.delete(key)) return;
    this.#send({ kind: "root-gone", generation: this.#gates.generation, key });
  }

  #send(message: FromReaderToGate): void {
    const { shared, wakeFd } = this.#gates!;
    this.#port?.postMessage(message);
    Atomics.add(new Int32Array(shared), gateCells.messages, 1);
    signalEventfd(wakeFd);
  }
}

function gateClaim({ planned, watch, skipsHidden, names }: Claim): GateClaim {
  return {
    gate: planned.gate!.index,
    recursive: names === null && watch.recursive,
    skipsHidden,
    names: names === null ? null : writtenPattern(names),
  };
}
