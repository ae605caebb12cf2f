/** The gates of one plan, and where they are: which of them decides about a file, and how. */
import { responseOf } from "../../ffi/fanotify/permission.ts";
import type { PlannedGate, Verdict } from "../rule/gate.ts";
import { GateMatcher, type Question } from "../rule/gate-matcher.ts";
import type { GatePlan, GateRoot } from "./messages.ts";

interface Responses {
  readonly allow: number;
  readonly deny: number;
}

const noPaths: readonly Uint8Array[] = [];

const plainAllow = responseOf(true);

export class Court {
  readonly plan: GatePlan;
  readonly #matcher: GateMatcher;
  /** Files that gates name: by what they are, and then by the path as configured, where they are. */
  readonly #filesByInode = new Map<string, Map<string, Uint8Array>>();
  readonly #inodes = new Map<string, string>();
  readonly #responses = new Map<PlannedGate, Responses>();

  constructor(plan: GatePlan) {
    this.plan = plan;
    this.#matcher = new GateMatcher(plan.gates);
    for (const gate of plan.gates) this.#responses.set(gate, responsesOf(gate));
  }

  /** @param index into `plan.gates` of the first that is about the file; -1: none is */
  indexFor(path: Uint8Array, length: number, question: Question): number {
    return this.#matcher.match(path, length, question);
  }

  /** As `GateMatcher.matchAnywhere`. @param pid 0: whoever asks is on the other side of our pid namespace */
  indexAnywhere(path: Uint8Array, length: number, question: Question, pid: number): number {
    // Without its name it may be anywhere; by a name in a mount that is not ours, whoever is outside of a
    // container would be held for all that is on its filesystem.
    const somewhere = pid === 0 && length > 0 ? "in a tree" : "anywhere";
    return this.#matcher.matchAnywhere(path, length, question, somewhere);
  }

  /** What the kernel is told. */
  responseFor(gate: PlannedGate, verdict: Verdict): number {
    const { allow, deny } = this.#responses.get(gate)!;
    return verdict === "allow" || this.plan.dryRun ? allow : deny;
  }

  /** The paths under which gates name a file, whatever link it was opened by. */
  fileNamed(inode: () => string): readonly Uint8Array[] {
    const names = this.#filesByInode.size === 0 ? undefined : this.#filesByInode.get(inode());
    return names === undefined ? noPaths : [...names.values()];
  }

  setRoot({ key, inode, ...root }: GateRoot): void {
    this.removeRoot(key);
    this.#matcher.setRoot(key, root);
    if (root.isDirectory) return;
    this.#inodes.set(key, inode);
    const names = this.#filesByInode.get(inode) ?? new Map<string, Uint8Array>();
    this.#filesByInode.set(inode, names.set(key, root.path));
  }

  removeRoot(key: string): void {
    this.#matcher.removeRoot(key);
    const inode = this.#inodes.get(key);
    if (inode === undefined) return;
    this.#inodes.delete(key);
    const names = this.#filesByInode.get(inode)!;
    names.delete(key);
    if (names.size === 0) this.#filesByInode.delete(inode);
  }
}

function responsesOf({ audit, errno }: PlannedGate): Responses {
  if (!audit && errno === 0) return { allow: plainAllow, deny: responseOf(false) };
  return { allow: responseOf(true, { audit }), deny: responseOf(false, { audit, errno }) };
}
