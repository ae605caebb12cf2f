/** The gates, seen from the main thread: their thread, their guard and their commands, from plan to plan. */
import { Errno, SyscallError } from "../../ffi/errno.ts";
import type { Fd } from "../../ffi/fd.ts";
import type { PermissionGroupOptions } from "../../ffi/fanotify/permission.ts";
import type { Asker } from "../action/asker.ts";
import type { CommandFamilies } from "../action/family-watch.ts";
import type { AskedQuestion, FromGate } from "../gate/messages.ts";
import { openPulseMemory, Pulse } from "../gate/pulse.ts";
import type { Log } from "../log.ts";
import type { OthersLines } from "../output/json-lines.ts";
import { type Gate, type GateLog, needsPreContent } from "../rule/gate.ts";
import { plannedGate } from "../rule/gate-plan.ts";
import { GateThread } from "./gate-thread.ts";
import type { GatesStatus } from "./gates-status.ts";
import { Guard } from "./guard.ts";
import type { ProcessListener } from "./process-events.ts";
import { Question } from "./question.ts";

export interface GatesOptions {
  /** The thread's file. */
  readonly url: URL;
  /** How facron starts itself. */
  readonly self: readonly string[];
  readonly log: Log;
  readonly asker: Asker;
  readonly uidOf: (user: string) => number | null;
  /** Everything is let through, and what would be decided is written out. */
  readonly dryRun: boolean;
  /** To stdout; `wrote` is to be called when they are on their way there. */
  readonly writeLines: (lines: OthersLines) => void;
  /** A thread that has to be told of the processes of commands, or no longer. */
  readonly processEvents: {
    add(listener: ProcessListener): void;
    remove(listener: ProcessListener): void;
  };
  readonly families: CommandFamilies;
  /** The reader has to know that it is no command. */
  readonly onGuard: (pid: number) => void;
  readonly onDeath: (reason: string) => void;
}

export interface FollowedGates {
  readonly gates: readonly Gate[];
  readonly generation: number;
  readonly log: GateLog;
}

/** A group, and all that it takes to answer its questions. */
interface Post {
  readonly thread: GateThread;
  readonly guard: Guard;
  readonly pulseFd: Fd;
  readonly pulse: Pulse;
}

const notCounted: Pick<GatesStatus, "counts" | "at"> = { counts: [], at: null };

export class Gates {
  readonly #options: GatesOptions;
  #post: Post | null = null;
  /** Those of the last plan. */
  #followed: FollowedGates = { gates: [], generation: 0, log: "none" };
  readonly #question = new Question(() => this.#post?.thread.send({ kind: "count" }));
  #counts: Pick<GatesStatus, "counts" | "at"> = notCounted;

  constructor(options: GatesOptions) {
    this.#options = options;
  }

  /** Gates of some plan are in force, or about to be. */
  get isOpen(): boolean {
    return this.#post !== null;
  }

  /**
   * Be ready to decide by these gates: to be called before the reader has the kernel hold anything for them.
   *
   * @returns the thread, which the reader tells where they are; null: there are no gates
   * @throws {SyscallError} as `permissionGroup`
   */
  async follow(followed: FollowedGates): Promise<GateThread | null> {
    const { gates, generation } = followed;
    this.#followed = followed;
    this.#options.asker.follow(gates, generation);
    if (this.#post === null) return gates.length === 0 ? null : this.#begin(followed);
    const { thread } = this.#post;
    thread.send({ kind: "plan", plan: this.#planOf(followed) });
    this.#sayIfBeyond(thread.group, groupFor(gates));
    return gates.length === 0 ? null : thread;
  }

  /** The reader has said where the gates of that plan are. */
  inForce(generation: number): void {
    if (this.#post === null || generation !== this.#followed.generation) return;
    if (this.#followed.gates.length === 0) return void this.close();
    this.#post.thread.send({ kind: "in-force", generation });
  }

  /** So many bytes of lines are on their way. */
  wrote(bytes: number): void {
    this.#post?.thread.tookLines(bytes);
  }

  /** Takes half a second at most. @returns null if there are none */
  async status(): Promise<GatesStatus | null> {
    const post = this.#post;
    if (post === null) return null;
    const answers = await this.#question.isAnswered();
    if (this.#post !== post) return null;
    const { passedOver } = post.pulse;
    return { ...this.#counts, answers, passedOver, asks: this.#options.asker.status() };
  }

  /** Nothing is held any more when this is done. */
  async close(): Promise<void> {
    const post = this.#post;
    if (post === null) return;
    this.#post = null;
    this.#counts = notCounted;
    this.#question.answered();
    await post.guard.stop(); // first: it may not be the last that has the group
    await post.thread.close();
    this.#options.processEvents.remove(post.thread); // it reads that socket until then
    this.#options.asker.giveUpAll();
    post.pulseFd.close();
  }

  async #begin(followed: FollowedGates): Promise<GateThread> {
    const { url, self, log, processEvents, families, onGuard, onDeath } = this.#options;
    const pulseFd = openPulseMemory();
    const thread = new GateThread({
      url,
      group: groupFor(followed.gates),
      pulseFd: pulseFd.number,
      plan: this.#planOf(followed),
      onMessage: (message) => this.#take(message),
      onDeath,
    });
    const pulse = new Pulse(pulseFd.number);
    const guard = new Guard({
      ...{ self, groupFd: thread.groupFd, pulseFd: pulseFd.number, pulse, log, families },
      onStarted: onGuard,
    });
    this.#post = { thread, guard, pulseFd, pulse };
    processEvents.add(thread);
    await Promise.all([thread.ready, guard.start()]);
    return thread;
  }

  #planOf({ gates, generation, log }: FollowedGates) {
    const { uidOf, dryRun } = this.#options;
    const planned = gates.map((gate) => plannedGate(gate, uidOf));
    return { generation, gates: planned, log, dryRun };
  }

  #take(message: FromGate): void {
    switch (message.kind) {
      case "ask":
        return this.#ask(message.question);
      case "give-up":
        return this.#options.asker.giveUp(message.id, message.why);
      case "lines":
        return this.#options.writeLines(message.lines);
      case "log":
        return this.#options.log[message.level](message.text);
      case "counted":
        this.#counts = { counts: message.status, at: new Date() };
        return this.#question.answered();
    }
  }

  #ask(question: AskedQuestion): void {
    const { id } = question;
    const post = this.#post;
    this.#options.asker.ask(question, (answer) => {
      // Another thread, begun since, counts its questions from the start.
      if (this.#post === post) post?.thread.send({ kind: "answer", id, answer });
    });
  }

  /** What a group can do is settled when it is opened. */
  #sayIfBeyond(has: PermissionGroupOptions, wanted: PermissionGroupOptions): void {
    const audit = wanted.audit && !has.audit;
    const preContent = wanted.preContent && !has.preContent;
    const keys = [...(audit ? ["audit"] : []), ...(preContent ? ["errno and pre_access"] : [])];
    if (keys.length === 0) return;
    this.#options.log.error(
      `Gates began without ${keys.join(", ")}, and go on without: restart facron for that`,
    );
  }
}

function groupFor(gates: readonly Gate[]): PermissionGroupOptions {
  return {
    audit: gates.some(({ audit }) => audit === true),
    preContent: gates.some(needsPreContent),
  };
}

/** Why there can be no gates: one sentence, with the cure. */
export function whyNoGates(error: Error): string {
  switch (error instanceof SyscallError ? error.errno : 0) {
    case Errno.EPERM:
      return "Cannot set gates: that needs root (CAP_SYS_ADMIN in the first user namespace, and CAP_AUDIT_WRITE for audit); run facron as root, or take the gates out";
    case Errno.EINVAL:
      return "Cannot set gates: this kernel is built without permission events (CONFIG_FANOTIFY_ACCESS_PERMISSIONS), or without audit (CONFIG_AUDIT); take the gates out, or audit out of them";
    case Errno.EOPNOTSUPP:
      return "Cannot set gates: errno and pre_access need Linux 6.14; take them out of the gates, or use a newer kernel";
    case Errno.ENOSYS:
      return "Cannot set gates: this kernel has no fanotify; take the gates out";
    default:
      return `Cannot set gates: ${error.message}`;
  }
}
