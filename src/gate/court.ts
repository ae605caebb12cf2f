/** The gates of one plan, and where they are: which of them decides about a file, and how. */
import { responseOf } from "../../ffi/fanotify/permission.ts";
import type { PlannedGate, Verdict } from "../rule/gate.ts";
import { GateMatcher, type Question } from "../rule/gate-matcher.ts";
import type { GatePlan, GateRoot } from "./messages.ts";

interface Responses {
  readonly allow: number;
  readonly deny: number;
}

const plainAllow = responseOf(true);

export class Court {
  readonly plan: GatePlan;
  /** Also what is nowhere near a gate is asked about: names in other mount namespaces may look like ours. */
  readonly asksOfWholeFilesystems: boolean;
  readonly #matcher: GateMatcher;
  /** Files that gates name: by what they are, the path as configured. */
  readonly #fileByInode = new Map<string, Uint8Array>();
  readonly #inodes = new Map<string, string>();
  readonly #responses = new Map<PlannedGate, Responses>();

  constructor(plan: GatePlan) {
    this.plan = plan;
    this.asksOfWholeFilesystems = plan.gates.some(({ scope }) => scope === "filesystem");
    this.#matcher = new GateMatcher(plan.gates);
    for (const gate of plan.gates) this.#responses.set(gate, responsesOf(gate));
  }

  /** @param index into `plan.gates` of the first that is about the file; -1: none is */
  indexFor(path: Uint8Array, length: number, question: Question): number {
    return this.#matcher.match(path, length, question);
  }

  /** As `indexFor`, of a file whose directory cannot be told. */
  indexAnywhere(path: Uint8Array, length: number, question: Question): number {
    return this.#matcher.matchAnywhere(path, length, question);
  }

  /** Whether a gate denies without asking anybody. */
  denies(index: number): boolean {
    return this.plan.gates[index]!.decision.kind === "deny";
  }

  /** What the kernel is told. */
  responseFor(gate: PlannedGate, verdict: Verdict): number {
    const { allow, deny } = this.#responses.get(gate)!;
    return verdict === "allow" || this.plan.dryRun ? allow : deny;
  }

  /** The path under which gates name a file, whatever link it was opened by; null: they name none so. */
  fileNamed(inode: () => string | null): Uint8Array | null {
    if (this.#fileByInode.size === 0) return null;
    const asked = inode();
    return asked === null ? null : (this.#fileByInode.get(asked) ?? null);
  }

  setRoot({ key, inode, ...root }: GateRoot): void {
    this.removeRoot(key);
    this.#matcher.setRoot(key, root);
    if (root.isDirectory) return;
    this.#inodes.set(key, inode);
    this.#fileByInode.set(inode, root.path);
  }

  removeRoot(key: string): void {
    this.#matcher.removeRoot(key);
    const inode = this.#inodes.get(key);
    if (inode !== undefined) this.#fileByInode.delete(inode);
    this.#inodes.delete(key);
  }
}

function responsesOf({ audit, errno }: PlannedGate): Responses {
  if (!audit && errno === 0) return { allow: plainAllow, deny: responseOf(false) };
  return { allow: responseOf(true, { audit }), deny: responseOf(false, { audit, errno }) };
}
