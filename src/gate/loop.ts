/**
 * THE MAIN PATH of the gate thread: wait, read questions, answer them.
 *
 * A process is held for each question that is not answered, and it may be any process: one that facron
 * waits for, the log daemon, or facron itself. So this thread opens nothing but what is in /proc, writes
 * nothing, looks nothing up by a path, and waits for nobody.
 */
import { nowMicroseconds } from "../../ffi/clock.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { clearEventfd } from "../../ffi/eventfd.ts";
import {
  FAN_ACCESS_PERM,
  FAN_OPEN_EXEC_PERM,
  FAN_OPEN_PERM,
  FAN_PRE_ACCESS,
  infoRangeLayout,
  metadataLayout,
} from "../../ffi/fanotify/abi.ts";
import { FanotifyReader, InfoReader, rangeOf } from "../../ffi/fanotify/reader.ts";
import { fileLimitOf } from "../../ffi/limits.ts";
import { POLLIN, PollSet } from "../../ffi/poll.ts";
import { Families } from "../family/families.ts";
import { noFamily, unknownFamily } from "../family/family.ts";
import type { Log } from "../log.ts";
import { readNow } from "../../ffi/fd.ts";
import { gateBits } from "../rule/gate.ts";
import type { Court } from "./court.ts";
import { Courts } from "./courts.ts";
import { type Asking, Judge } from "./judge.ts";
import { type FromReaderToGate, gateCells, type GateStart, type ToGate } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { type GatePort, logOver } from "./port.ts";
import { Pulse } from "./pulse.ts";
import { Replies } from "./replies.ts";
import { Tally } from "./tally.ts";

/** Questions at a time: each brings an open descriptor. The guard sees us once per read. */
const readUsualMax = 170;

/** The longest there is: with a range (FAN_PRE_ACCESS). One must fit, or read(2) fails (EINVAL) for ever. */
const longestBytes = metadataLayout.size + infoRangeLayout.size;

const groupSlot = 0;
const wakeSlot = 1;

/**
 * While a command is asked, the guard wants to see every so often that we are there; and when lines had to be
 * left out, there may be room for the word of it.
 */
const beatMs = 500;

/** One word about questions that could not be read serves so long. */
const silenceMs = 60_000;

const ownPid = process.pid;

/** Processes that may wait for commands at once, if there are descriptors for that. */
const pendingUsualMax = 1_024;

export class GateLoop {
  readonly #start: GateStart;
  readonly #port: GatePort;
  readonly #log: Log;
  readonly #cells: Int32Array;
  readonly #pulse: Pulse;
  readonly #poll = new PollSet(2);
  readonly #buffer: Uint8Array;
  readonly #events: FanotifyReader;
  readonly #info: InfoReader;
  readonly #outbox: Outbox;
  readonly #tally = new Tally();
  readonly #judge: Judge;
  readonly #families: Families;
  readonly #asking: Asking = { eventFd: -1, events: 0, pid: 0, range: null };
  readonly #courts: Courts;
  #messagesSeen = 0;
  #silentUntil = 0;
  #isOver = false;

  /** @throws {SyscallError} ENOENT if /proc is not mounted; ENOMEM */
  constructor(start: GateStart, port: GatePort) {
    this.#start = start;
    this.#port = port;
    this.#log = logOver(port);
    this.#cells = new Int32Array(start.shared);
    this.#pulse = new Pulse(start.pulseFd);
    const descriptors = descriptorsMax();
    const readMax = Math.min(readUsualMax, descriptors);
    this.#buffer = new Uint8Array(Math.max(readMax * metadataLayout.size, longestBytes));
    this.#events = new FanotifyReader(this.#buffer);
    this.#info = new InfoReader(this.#events);
    const send = port.send.bind(port);
    this.#outbox = new Outbox({ send, cells: this.#cells });
    this.#courts = new Courts(start.plan);
    const replies = new Replies(start.groupFd);
    const nowNanoseconds = (): number => nowMicroseconds() * 1000;
    const parts = {
      replies,
      outbox: this.#outbox,
      tally: this.#tally,
      send,
      log: this.#log,
      nowNanoseconds,
    };
    this.#judge = new Judge(this.#courts.inForce, {
      ...parts,
      isOurs: (pid) => isFamily(this.#families.lookUp(pid)),
      pendingMax: Math.min(pendingUsualMax, descriptors),
    });
    this.#families = new Families({
      ...{ counters: this.#cells, cells: gateCells, ownPid, log: this.#log },
      guardPid: () => this.#pulse.guardPid,
      isOfLiving: true,
      allIsRead: () => true, // nothing that is queued is about who has ended
    });
    this.#follow(this.#courts.inForce);
  }

  /** Runs until it is told to end. */
  run(): void {
    this.#poll.set(groupSlot, this.#start.groupFd, POLLIN);
    this.#poll.set(wakeSlot, this.#start.wakeFd, POLLIN);
    this.#port.send({ kind: "ready" });
    for (;;) {
      this.#takeMessages();
      if (this.#isOver) return; // the group may be closed by now
      const length = this.#read();
      if (length > 0) this.#answerAll(length);
      if (this.#judge.pending.processes > 0) this.#judge.expire(performance.now());
      this.#families.look();
      this.#outbox.handOverDue();
      if (length <= 0) this.#wait();
    }
  }

  /** @returns bytes of questions; 0 if there was nothing, or one that the kernel had to refuse itself */
  #read(): number {
    this.#pulse.beforeRead();
    try {
      return readNow(this.#start.groupFd, this.#buffer);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#sayUnread(error);
      return 0;
    }
  }

  #answerAll(length: number): void {
    const events = this.#events;
    const now = performance.now();
    this.#judge.beginRead();
    this.#families.beginRead();
    events.reset(length);
    while (events.next()) {
      const { fd, pid } = events;
      if (fd < 0) continue; // no question
      if (this.#isOurs(pid)) {
        this.#judge.letThrough(fd);
        continue;
      }
      this.#asking.eventFd = fd;
      this.#asking.events = gateEventsOf(events.mask);
      this.#asking.pid = pid;
      this.#asking.range = events.infoStart < events.infoEnd ? rangeOf(events, this.#info) : null;
      this.#judge.decide(this.#asking, now);
    }
  }

  /** Facron itself, its guard, and commands with all that they have started. */
  #isOurs(pid: number): boolean {
    if (pid === 0) return false; // outside of our pid namespace
    if (pid === ownPid || pid === this.#pulse.guardPid) return true;
    return isFamily(this.#families.of(pid));
  }

  #wait(): void {
    this.#pulse.beforeWait(this.#judge.pending.processes);
    this.#poll.wait(this.#timeoutMs());
    if (this.#poll.happened(wakeSlot) !== 0) clearEventfd(this.#start.wakeFd);
  }

  /** -1: for ever. */
  #timeoutMs(): number {
    const { pending } = this.#judge;
    const { timeoutMs } = this.#families;
    const { dueInMs, owesLoss } = this.#outbox;
    const isAtRest = pending.processes === 0 && !owesLoss && dueInMs === Infinity;
    if (isAtRest) return timeoutMs;
    const untilDeadline = Math.max(Math.ceil(pending.nextDeadline - performance.now()), 0);
    const untilDue = Math.ceil(dueInMs);
    return Math.min(beatMs, untilDeadline, untilDue, timeoutMs < 0 ? beatMs : timeoutMs);
  }

  #takeMessages(): void {
    const messages = Atomics.load(this.#cells, gateCells.messages);
    if (messages === this.#messagesSeen) return;
    this.#messagesSeen = messages;
    for (let message = this.#port.receive(); message !== null; message = this.#port.receive())
      this.#take(message);
  }

  #take(message: ToGate | FromReaderToGate): void {
    switch (message.kind) {
      case "root":
      case "root-gone":
        return this.#courts.place(message);
      case "plan":
        return this.#courts.prepare(message.plan);
      case "in-force":
        return this.#putInForce(message.generation);
      case "answer":
        return this.#judge.answer(message.id, message.answer, performance.now());
      case "count":
        return this.#port.send({ kind: "counted", status: this.#tally.counts });
      case "close":
        return this.#close();
    }
  }

  #putInForce(generation: number): void {
    if (!this.#courts.putInForce(generation)) return;
    this.#judge.follow(this.#courts.inForce);
    this.#follow(this.#courts.inForce);
  }

  #follow({ plan }: Court): void {
    this.#tally.follow(plan.gates);
    this.#outbox.follow(plan.log);
  }

  /** What has not been read is let through by the kernel, with the group's last descriptor. */
  #close(): void {
    this.#judge.end();
    this.#outbox.handOver();
    this.#port.send({ kind: "closed" });
    this.#isOver = true;
  }

  /** The kernel could not open the file for us, and has denied whoever asked (fanotify(7), "read"). */
  #sayUnread(error: SyscallError): void {
    const now = performance.now();
    if (now < this.#silentUntil) return;
    this.#silentUntil = now + silenceMs;
    const cure = error.errno === Errno.EMFILE ? "; raise facron's limit of open files" : "";
    this.#log.error(
      `Gates: a question could not be read, and the kernel has denied it: ${error.message}${cure}`,
    );
  }
}

function isFamily(family: number): boolean {
  return family !== noFamily && family !== unknownFamily;
}

function gateEventsOf(mask: number): number {
  return (
    ((mask & FAN_OPEN_PERM) !== 0 ? gateBits.open_perm : 0) |
    ((mask & FAN_ACCESS_PERM) !== 0 ? gateBits.access_perm : 0) |
    ((mask & FAN_OPEN_EXEC_PERM) !== 0 ? gateBits.open_exec_perm : 0) |
    ((mask & FAN_PRE_ACCESS) !== 0 ? gateBits.pre_access : 0)
  );
}

/**
 * A quarter of the descriptors that we may have: so many may be read at once, and so many wait for commands.
 * A question for which none is free is refused by the kernel.
 */
function descriptorsMax(): number {
  return Math.max(1, Math.floor(fileLimitOf(0)!.soft / 4));
}
