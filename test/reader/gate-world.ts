/** The reader's thread with gates, and somebody who lets all through and says what he was asked. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import { fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import { openEventfd } from "../../ffi/eventfd.ts";
import { FAN_OPEN_PERM } from "../../ffi/fanotify/abi.ts";
import { permissionGroup, permissionMarkAdd } from "../../ffi/fanotify/permission.ts";
import type { Fd } from "../../ffi/fd.ts";
import { ReaderThread } from "../../src/daemon/reader-thread.ts";
import { type FromReaderToGate, type GateRoot, gateSharedBytes } from "../../src/gate/messages.ts";
import { eventBits } from "../../src/event.ts";
import { type FromReader, planOf, type WatchReport } from "../../src/reader/plan.ts";
import { type Gate, gateBits } from "../../src/rule/gate.ts";
import type { Rule, Scope, WatchPath } from "../../src/rule/rule.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { cPath } from "../helpers/c-path.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const source = join(import.meta.dir, "gate-listener.c");
const workerUrl = new URL("../../src/reader/worker.ts", import.meta.url);

type Child = Bun.Subprocess<"pipe", "pipe", "inherit">;

/** A recursive gate on what is opened below a path; a test says what is different. */
export function gateOn(path: string, wishes: Partial<Gate & WatchPath> = {}): Gate {
  const { recursive = true, isGlob = false, skipsDotDirectories = false, ...rest } = wishes;
  return {
    name: `gate on ${path}`,
    watch: [{ path: utf8(path), recursive, isGlob, skipsDotDirectories }],
    events: gateBits.open_perm,
    children: true,
    directories: false,
    decision: { kind: "allow" },
    ...rest,
  };
}

/** A recursive rule on what is written below a path. */
export function ruleOn(path: string, { scope = "tree" as Scope } = {}): Rule {
  const groups = [eventBits.close_write];
  return {
    name: `rule on ${path}, ${scope}`,
    watch: [{ path: utf8(path), recursive: true }],
    backend: "auto",
    scope,
    condition: [{ groups, children: true, directories: false }],
    command: { words: [] },
  };
}

/** A group of which somebody reads. */
class Group {
  readonly fd: Fd;
  readonly #listener: Child;
  readonly #sentinel: string;
  /** The mask in hexadecimal, a blank and the path. */
  readonly asked: string[] = [];

  constructor(program: string, sentinel: string, preContent: boolean) {
    this.fd = permissionGroup({ preContent, audit: false });
    this.#sentinel = sentinel;
    const stdio = ["pipe", "pipe", "inherit", this.fd.number] as const;
    this.#listener = Bun.spawn([program], { stdio: [...stdio] }) as Child;
    void forEachLine(this.#listener, (line) => this.asked.push(line));
  }

  async close(): Promise<void> {
    this.#listener.kill("SIGKILL");
    this.fd.close(); // all that is held goes on, the listener included
    await this.#listener.exited;
  }

  /** An open of the sentinel is a question too, and the last. */
  markSentinel(): void {
    permissionMarkAdd(this.fd.number, "inode", cPath(this.#sentinel), FAN_OPEN_PERM);
  }

  /** Its marks, besides that of the sentinel (proc_pid_fdinfo(5)). */
  get marks(): readonly string[] {
    const info = readFileSync(`/proc/self/fdinfo/${this.fd.number}`, "utf8").split("\n");
    const sentinel = `ino:${statSync(this.#sentinel).ino.toString(16)} `;
    const marks = info.filter((line) => /^fanotify (ino|mnt_id|sdev):/.test(line));
    return marks.filter((line) => !line.includes(sentinel));
  }
}

export class GateWorld {
  readonly #program: string;
  readonly #sentinel: string;
  readonly #preContent: boolean;
  readonly #wake = openEventfd();
  readonly #shared = new SharedArrayBuffer(gateSharedBytes);
  readonly #reader: ReaderThread;
  /** Opens in the place of the test, which must not be held if nobody answers. */
  readonly #opener: Child;
  readonly #roots = new MessageChannel();
  readonly #said: FromReaderToGate[] = [];
  readonly #planned = new Map<number, PromiseWithResolvers<WatchReport>>();
  readonly log: string[] = [];
  /** Triggers of rules, all in all. */
  triggers = 0;
  #group: Group;
  #generation = 0;

  constructor({ preContent = false } = {}) {
    const dir = tempDir();
    this.#program = dir.join("listener");
    const { success, stderr } = Bun.spawnSync(["cc", "-O1", "-o", this.#program, source]);
    if (!success) throw new Error(stderr.toString());
    this.#sentinel = dir.write("sentinel");
    this.#preContent = preContent;
    this.#group = new Group(this.#program, this.#sentinel, preContent);
    this.#opener = Bun.spawn([this.#program, "open"], { stdio: ["pipe", "pipe", "inherit"] });
    void forEachLine(this.#opener, () => {});
    this.#roots.port1.on("message", (message: FromReaderToGate) => this.#said.push(message));
    this.#roots.port1.unref();
    this.#reader = new ReaderThread({
      url: workerUrl,
      onMessage: (message) => this.#take(message),
      onDeath: (reason) => this.log.push(`died: ${reason}`),
    });
    atTestEnd(() => this.#close());
  }

  async #close(): Promise<void> {
    await this.#group.close();
    this.#opener.kill("SIGKILL");
    this.#reader.send({ kind: "drain", flushMs: 0 });
    this.#roots.port1.close();
  }

  /** Another configuration. @returns what is watched when all is walked */
  async plan(gates: readonly Gate[], rules: readonly Rule[] = []): Promise<WatchReport> {
    const generation = ++this.#generation;
    const isFirst = generation === 1;
    const rootsPort = isFirst ? { rootsPort: this.#roots.port2 } : {};
    const group = { groupFd: this.#group.fd.number, shared: this.#shared };
    const how = { ...group, wakeFd: this.#wake.number, ...rootsPort, generation, gates };
    const plan = planOf(rules, {
      ...{ generation, everyPathMustWork: false, uidOf: () => null },
      ...(gates.length > 0 && { gates: how }),
    });
    const planned = Promise.withResolvers<WatchReport>();
    this.#planned.set(generation, planned);
    this.#reader.send({ kind: "plan", plan }, isFirst ? [this.#roots.port2] : []);
    return planned.promise;
  }

  /** From the next plan on there is another group; nobody answers for the one from before after it. */
  async withAnotherGroup(plan: () => Promise<unknown>): Promise<void> {
    const before = this.#group;
    this.#group = new Group(this.#program, this.#sentinel, this.#preContent);
    await plan();
    await before.close();
  }

  /** As the runner does while its queue is full. */
  holdBack(isWished: boolean): void {
    this.#reader.holdBack(isWished);
  }

  #take(message: FromReader): void {
    if (message.kind === "planned") this.#planned.get(message.generation)!.resolve(message.report);
    if (message.kind === "triggers") this.triggers += message.count;
    if (message.kind === "log" || message.kind === "cannot-watch") this.log.push(message.text);
  }

  /** What the kernel asks while somebody opens a path: the mask in hexadecimal, a blank and the path. */
  async askedFor(path: string): Promise<string[]> {
    const { asked } = this.#group;
    const end = ` ${this.#sentinel}`;
    asked.length = 0;
    this.#group.markSentinel();
    this.#opener.stdin.write(`${path}\n${this.#sentinel}\n`);
    await waitFor(() => asked.some((line) => line.endsWith(end)), {
      what: `an answer about ${path}`,
    });
    const lines = asked.filter((line) => !line.endsWith(end));
    return lines.map((line) => Buffer.from(fromLatin1(line)).toString());
  }

  /** Whether the kernel asks before a file is opened. */
  async isHeld(path: string): Promise<boolean> {
    return (await this.askedFor(path)).length > 0;
  }

  /** Until the reader has followed what a test has done. */
  async untilHeld(...paths: string[]): Promise<void> {
    const state = () => this.log.join("\n");
    for (const path of paths)
      await waitFor(() => this.isHeld(path), { what: `${path} to be held`, state });
  }

  async untilFree(...paths: string[]): Promise<void> {
    for (const path of paths)
      await waitFor(async () => !(await this.isHeld(path)), { what: `${path} to be free` });
  }

  /** Of the group, besides what the test needs. */
  get marks(): readonly string[] {
    return this.#group.marks;
  }

  /** Which roots the gate thread would know now, of the last plan: by the path as configured. */
  get roots(): ReadonlyMap<string, GateRoot> {
    const roots = new Map<string, GateRoot>();
    for (const message of this.#said) {
      if (message.kind === "root" && message.root.generation === this.#generation)
        roots.set(message.root.key, message.root);
      if (message.kind === "root-gone" && message.generation === this.#generation)
        roots.delete(message.key);
    }
    return roots;
  }
}

async function forEachLine(child: Child, take: (line: string) => void): Promise<void> {
  let rest = "";
  for await (const bytes of child.stdout) {
    const lines = (rest + latin1(bytes)).split("\n");
    rest = lines.pop()!;
    for (const line of lines) take(line);
  }
}

export function realPath(root: GateRoot | undefined): string | undefined {
  return root && Buffer.from(root.path).toString();
}
