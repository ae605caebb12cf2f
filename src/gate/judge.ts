/** One question after the other: answered at once where that can be, else when a command has. */
import { utf8 } from "../../ffi/bytes.ts";
import { DescriptorLinks } from "../../ffi/descriptor-link.ts";
import { writersOf } from "../../ffi/lease.ts";
import type { Log } from "../log.ts";
import type { ActorFacts } from "../rule/actor.ts";
import type { PlannedAsk, PlannedGate, Verdict } from "../rule/gate.ts";
import type { Question } from "../rule/gate-matcher.ts";
import type { FileFacts } from "../rule/subject.ts";
import { Aliases, type Names, nowhere } from "./aliases.ts";
import {
  fills,
  isKeepable,
  isTraceless,
  keyAfter,
  type Keys,
  keysOf,
  noKeys,
} from "./answer-keys.ts";
import { Answers } from "./answers.ts";
import { Askers } from "./askers.ts";
import type { Court } from "./court.ts";
import type { DecidedBy } from "./decision-lines.ts";
import { FileState } from "./file-state.ts";
import type { AskedQuestion, FromGate } from "./messages.ts";
import type { Outbox } from "./outbox.ts";
import { Notices, type WhyUnasked } from "./notices.ts";
import { type Asked, Pending, type Waiting } from "./pending.ts";
import { Rewrites } from "./rewrites.ts";
import { type Replies, plainAllow } from "./replies.ts";
import type { Tally } from "./tally.ts";

/** A question as it was read. */
export interface Asking {
  eventFd: number;
  /** `gateBits` */
  events: number;
  /** 0: not known. */
  pid: number;
  /** Of `pre_access`. */
  range: AskedQuestion["range"];
}

export interface JudgeOptions {
  readonly replies: Replies;
  readonly outbox: Outbox;
  readonly tally: Tally;
  readonly send: (message: FromGate) => void;
  readonly log: Log;
  /** Looked up closely: it descends from us. */
  readonly isOurs: (pid: number) => boolean;
  /** Processes that may wait for commands; each keeps a descriptor open. */
  readonly pendingMax: number;
  /** As the clock of files has it, nanoseconds since 1970. */
  readonly nowNanoseconds: () => number;
}

const noBytes = new Uint8Array(0);

/** What d_path puts behind the name of a file that has none any more. */
const deletedSuffix = " (deleted)";

export class Judge {
  readonly pending = new Pending();
  readonly #options: JudgeOptions;
  readonly #links = new DescriptorLinks();
  readonly #state = new FileState();
  readonly #aliases = new Aliases();
  readonly #askers = new Askers(this.#aliases);
  readonly #answers = new Answers();
  readonly #rewrites = new Rewrites();
  readonly #notices: Notices;
  #court: Court;
  /** The question in hand. */
  #asking: Asking = { eventFd: -1, events: 0, pid: 0, range: null };
  /** The name by which it is decided: the first bytes of a buffer. */
  #path: Uint8Array = noBytes;
  #length = 0;
  /** performance.now() */
  #now = 0;
  /** `#state` is that of its file; null: nobody has asked. */
  #hasState: boolean | null = null;
  /** No command could be told which file it is. */
  #isNameless = false;
  readonly #question = { events: 0, facts: () => this.#facts(), actor: () => this.#actor() };

  /** @throws {SyscallError} ENOENT if /proc is not mounted */
  constructor(court: Court, options: JudgeOptions) {
    this.#court = court;
    this.#options = options;
    this.#notices = new Notices(options.log, options.pendingMax);
    this.#question satisfies Question;
  }

  /** These gates decide from now on. What is being asked is answered by the gates that asked it. */
  follow(court: Court): void {
    this.#court = court;
    this.#answers.clear();
    this.pending.forgetKeys();
  }

  beginRead(): void {
    this.#askers.beginRead();
    this.#aliases.beginRead();
  }

  /** What facron and its commands do is never held up. */
  letThrough(eventFd: number): void {
    this.#options.replies.give(eventFd, plainAllow);
  }

  /** @param asking read at `now`, performance.now() */
  decide(asking: Asking, now: number): void {
    this.#asking = asking;
    this.#now = now;
    this.#hasState = null;
    this.#isNameless = false;
    this.#question.events = asking.events;
    this.#path = this.#links.path;
    this.#length = this.#nameLength(asking.eventFd);
    const index = this.#indexOfGate();
    if (index < 0) return this.letThrough(asking.eventFd);
    const gate = this.#court.plan.gates[index]!;
    const { decision } = gate;
    if (decision.kind === "ask") return this.#ask(gate, index, decision);
    if (decision.kind === "deny" && this.#isByOurs) return this.letThrough(asking.eventFd);
    this.#endInHand(gate, decision.kind, "verdict");
  }

  /** The command has answered. */
  answer(id: number, answer: Verdict | "error", now: number): void {
    const asked = this.pending.take(id);
    if (asked === null) return; // too late
    const { ask } = asked;
    if (answer === "error") return this.#endAll(asked, ask.onError, "error");
    const key = this.#keyAfter(asked, answer);
    if (key !== null) this.#answers.set(key, answer, now + ask.cacheMs);
    this.#endAll(asked, answer, "command");
  }

  /** Those whose time is over. */
  expire(now: number): void {
    for (;;) {
      const asked = this.pending.takeOverdue(now);
      if (asked === null) return;
      this.#options.send({ kind: "give-up", id: asked.id, why: "timeout" });
      this.#endAll(asked, asked.ask.onTimeout, "timeout");
    }
  }

  /** Nobody decides any more: who waits for a command goes on. */
  end(): void {
    for (const { waiting } of this.pending.takeAll())
      for (const { eventFd } of waiting) this.letThrough(eventFd);
  }

  /** -1: none is about it. */
  #indexOfGate(): number {
    const hasPath = this.#length > 0; // else it is longer than PATH_MAX
    const index = hasPath ? this.#court.indexFor(this.#path, this.#length, this.#question) : -1;
    return this.#indexByOthers(index);
  }

  /**
   * By its other names: of a file that a gate names, and by way of other mounts. Else whoever makes a mount
   * namespace could give a file the name of one that is allowed.
   */
  #indexByOthers(byName: number): number {
    if (!this.#readState()) return this.#length > 0 ? byName : this.#indexAnywhere();
    const { given, others } = this.#names();
    const linked = this.#court.fileNamed(() => this.#state.inode);
    if (given === "none" && linked.length === 0) return this.#indexAnywhere();
    let first = given === "ours" ? byName : -1;
    for (const path of linked.length === 0 ? others : [...linked, ...others]) {
      const index = this.#court.indexFor(path, path.length, this.#question);
      if (index < 0 || (first >= 0 && index >= first)) continue;
      first = index;
      this.#path = path;
      this.#length = path.length;
    }
    return first;
  }

  #names(): Names {
    const [path, length] = [this.#path, this.#length];
    if (length === 0) return nowhere;
    return this.#aliases.of({ pid: this.#asking.pid, path, length, mountId: this.#state.mountId });
  }

  /** Of a file without a name that would be worth anything to us. */
  #indexAnywhere(): number {
    const [path, length] = [this.#path, this.#length];
    const { pid } = this.#asking;
    const index = this.#court.indexAnywhere(path, length, this.#question, pid);
    if (index < 0) return index;
    this.#isNameless = true;
    this.#path = this.#placeholder();
    this.#length = this.#path.length;
    return index;
  }

  /** What stands for a path in lines and in the log: nobody must take it for one. */
  #placeholder(): Uint8Array {
    const { device, inode } = this.#state;
    const place = `device ${device}, inode ${inode.slice(device.length + 1)}`;
    if (this.#length === 0)
      return utf8(`(path too long: ${this.#readState() ? place : "unknown"})`);
    return Buffer.concat([utf8("(in another mount)"), this.#path.subarray(0, this.#length)]);
  }

  #nameLength(eventFd: number): number {
    const length = this.#links.read(eventFd);
    const { path } = this.#links;
    const start = length - deletedSuffix.length;
    for (let at = 0; at < deletedSuffix.length; at++)
      if (path[start + at] !== deletedSuffix.charCodeAt(at)) return length;
    return this.#readState() && this.#state.isDeleted ? start : length;
  }

  #ask(gate: PlannedGate, index: number, ask: PlannedAsk): void {
    const { tally, pendingMax } = this.#options;
    if (this.#court.plan.dryRun) return this.#endInHand(gate, "allow", "verdict");
    if (this.#isNameless)
      return this.#endUnasked(gate, ask, this.#asking.pid === 0 ? "outside" : "no-name");
    const keys = this.#keysFor(index, ask);
    const known = this.#answers.get(keys.answerKey, this.#now);
    if (known !== "allow" && this.#isByOurs) return this.letThrough(this.#asking.eventFd);
    if (known !== null) return this.#endInHand(gate, known, "cache");
    if (this.pending.processes >= pendingMax) return this.#endUnasked(gate, ask, "no-place");
    const waiting = this.#waitingInHand();
    const asked = this.pending.find(keys.key) ?? this.#askAnew(gate, index, ask, keys, waiting);
    this.pending.join(asked, waiting);
    tally.waits(gate, 1);
  }

  #askAnew(
    gate: PlannedGate,
    index: number,
    ask: PlannedAsk,
    keys: Keys,
    { events, path, pid, actor, since }: Waiting,
  ): Asked {
    const deadline = since + ask.timeoutMs;
    const court = this.#court;
    const answerKey = this.#canKeep(ask) ? keys.answerKey : "";
    const asked = this.pending.ask({ court, gate, ask, key: keys.key, answerKey, deadline });
    const { generation } = court.plan;
    const isDirectory = this.#facts()?.type === "dir";
    const { range } = this.#asking;
    const of = { generation, gate: index, events, path, isDirectory, pid, range };
    this.#options.send({ kind: "ask", question: { id: asked.id, ...of, ...actor } });
    return asked;
  }

  #canKeep({ cacheMs }: PlannedAsk): boolean {
    if (cacheMs === 0 || !this.#readState()) return false;
    const { eventFd, events } = this.#asking;
    return fills(events) || isKeepable(this.#filesystem, eventFd);
  }

  #keysFor(index: number, { told }: PlannedAsk): Keys {
    if (!this.#readState()) return noKeys;
    const { eventFd, events, pid } = this.#asking;
    const mayHide = !fills(events) && isTraceless(this.#filesystem);
    const rewrites = mayHide ? this.#rewrites.countOf(this.#state.inode, eventFd) : 0;
    return keysOf({ gate: index, events, pid, rewrites }, told, this.#state, () => this.#actor());
  }

  /** As mount(8) has it; null: not known. */
  get #filesystem(): string | null {
    const { mountId, device } = this.#state;
    return this.#aliases.filesystemOf({ pid: this.#asking.pid, mountId }, device);
  }

  /** Under which an answer is kept; null: under none. */
  #keyAfter(asked: Asked, answer: Verdict): string | null {
    const { court, answerKey, waiting } = asked;
    if (answerKey === "" || court !== this.#court) return null; // of a gate that is not there any more
    this.#hasState = null;
    const { eventFd } = waiting[0]!;
    const writers = writersOf(eventFd); // before the look at its time: what a writer did until then is in it
    if (!this.#state.read(eventFd)) return null;
    return keyAfter(asked, answer, this.#state, writers, this.#options.nowNanoseconds());
  }

  #endAll({ court, gate, waiting }: Asked, verdict: Verdict, by: DecidedBy): void {
    const { replies, outbox, tally } = this.#options;
    const response = court.responseFor(gate, verdict);
    tally.waits(gate, -waiting.length);
    for (const one of waiting) {
      replies.give(one.eventFd, response);
      tally.decided(gate, verdict, by);
      if (outbox.tells(verdict)) outbox.tell({ gate, verdict, by, ...one });
    }
  }

  /** Who asks is looked at before the answer: it may have ended after it. */
  #endInHand(gate: PlannedGate, verdict: Verdict, by: DecidedBy): void {
    const { replies, outbox, tally } = this.#options;
    const waiting = outbox.tells(verdict) ? this.#waitingInHand() : null;
    replies.give(this.#asking.eventFd, this.#court.responseFor(gate, verdict));
    tally.decided(gate, verdict, by);
    if (waiting !== null) outbox.tell({ gate, verdict, by, ...waiting });
  }

  #endUnasked(gate: PlannedGate, { onError: verdict }: PlannedAsk, why: WhyUnasked): void {
    const path = this.#path.slice(0, this.#length);
    const { pid } = this.#asking;
    this.#endInHand(gate, verdict, "error");
    this.#notices.unasked(why, { gate: gate.name, verdict, path, pid }, this.#now);
  }

  /**
   * It was taken for a stranger, and is none: a command that waits for a command may wait for one that cannot
   * start before it is done.
   */
  get #isByOurs(): boolean {
    return this.#options.isOurs(this.#asking.pid);
  }

  #waitingInHand(): Waiting {
    const { eventFd, events, pid } = this.#asking;
    const path = this.#path.slice(0, this.#length);
    return { eventFd, events, path, pid, actor: this.#actor(), since: this.#now };
  }

  #actor(): ActorFacts {
    return this.#askers.of(this.#asking.pid);
  }

  #facts(): FileFacts | null {
    return this.#readState() ? this.#state.facts : null;
  }

  #readState(): boolean {
    return (this.#hasState ??= this.#state.read(this.#asking.eventFd));
  }
}
