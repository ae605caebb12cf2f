/** A cursor over the messages of the process events connector that one recv(2) put into a buffer. */
import {
  CN_IDX_PROC,
  CN_VAL_PROC,
  cnMsgLayout,
  NLMSG_DONE,
  nlmsghdrLayout,
  procEventLayout as layout,
  procEvents,
} from "./abi.ts";

const { PROC_EVENT_NONE, PROC_EVENT_FORK, PROC_EVENT_EXEC, PROC_EVENT_EXIT } = procEvents;

const connectorStart = nlmsghdrLayout.size;
const eventStart = connectorStart + cnMsgLayout.size;

/** Bytes of each kind's own data. */
const forkBytes = 16;
const execBytes = 8;
const exitBytes = 8;
const ackBytes = 4;

/** Stands on one event at a time. */
export class ProcEventReader {
  readonly #words: Int32Array;
  #next = 0;
  #end = 0;

  /** `procEvents`, unsigned; kinds that are not known here are kept. */
  what = 0;
  /** What did it, or what it happened to: a thread, and the process that the thread is of. */
  pid = 0;
  tgid = 0;
  /** Of a fork: the process that forked, as a thread group. */
  parentTgid = 0;
  /** Of an answer: errno, and one more than the `ack` of the message that it answers. */
  error = 0;
  ack = 0;

  /** @param bytes the read buffer; its offset and length are multiples of 4 */
  constructor(bytes: Uint8Array) {
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  }

  /** Start on a new read. @param length how many bytes recv(2) gave */
  reset(length: number): void {
    this.#next = 0;
    this.#end = length;
  }

  /** Go to the next event. @returns false at the end. @throws {RangeError} on bytes that cannot be */
  next(): boolean {
    while (this.#next < this.#end) {
      const at = this.#next;
      if (at + connectorStart > this.#end) throw impossible(at, connectorStart, this.#end);
      const length = this.#words[at >> 2]!;
      if (length < connectorStart || at + length > this.#end)
        throw impossible(at, length, this.#end);
      this.#next = Math.min((at + length + 3) & ~3, this.#end); // NLMSG_ALIGN
      if (this.#isProcEvent(at, length)) return true;
    }
    return false;
  }

  #isProcEvent(at: number, length: number): boolean {
    const type = this.#words[(at + nlmsghdrLayout.nlmsg_type) >> 2]! & 0xffff;
    if (type !== NLMSG_DONE) return false;
    if (length < eventStart) throw impossible(at, length, this.#end);
    const message = (at + connectorStart) >> 2;
    const words = this.#words;
    if (words[message] !== CN_IDX_PROC || words[message + 1] !== CN_VAL_PROC) return false;
    const dataBytes = words[message + (cnMsgLayout.len >> 2)]! & 0xffff;
    if (eventStart + dataBytes > length) throw impossible(at, eventStart + dataBytes, this.#end);
    this.ack = words[message + (cnMsgLayout.ack >> 2)]!;
    this.#readEvent(at + eventStart, dataBytes);
    return true;
  }

  #readEvent(at: number, bytes: number): void {
    this.what = this.#own(at, bytes, layout.what, 4) >>> 0;
    this.pid = this.tgid = this.parentTgid = this.error = 0;
    if (this.what === PROC_EVENT_FORK) {
      this.pid = this.#own(at, bytes, layout.fork_child_pid, forkBytes);
      this.tgid = this.#own(at, bytes, layout.fork_child_tgid, forkBytes);
      this.parentTgid = this.#own(at, bytes, layout.fork_parent_tgid, forkBytes);
    } else if (this.what === PROC_EVENT_EXIT) {
      this.pid = this.#own(at, bytes, layout.exit_process_pid, exitBytes);
      this.tgid = this.#own(at, bytes, layout.exit_process_tgid, exitBytes);
    } else if (this.what === PROC_EVENT_EXEC) {
      this.pid = this.tgid = this.#own(at, bytes, layout.exec_process_tgid, execBytes);
    } else if (this.what === PROC_EVENT_NONE) {
      this.error = this.#own(at, bytes, layout.ack_err, ackBytes);
    }
  }

  /** A word of the event, which has to have so many bytes of data. */
  #own(at: number, bytes: number, offset: number, dataBytes: number): number {
    if (bytes < layout.event_data + dataBytes)
      throw impossible(at, layout.event_data + dataBytes, at + bytes);
    return this.#words[(at + offset) >> 2]!;
  }
}

function impossible(at: number, length: number, end: number): RangeError {
  return new RangeError(
    `process event at byte ${at} is ${length} bytes long, but the bytes end at ${end}`,
  );
}
