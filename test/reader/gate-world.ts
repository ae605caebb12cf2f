/** The reader's thread with gates, and somebody who lets all through and says what he was asked. */
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import { fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import { openEventfd } from "../../ffi/eventfd.ts";
import { FAN_OPEN_PERM } from "../../ffi/fanotify/abi.ts";
import { permissionGroup, permissionMarkAdd } from "../../ffi/fanotify/permission.ts";
import type { Fd } from "../../ffi/fd.ts";
import { ReaderThread } from "../../src/daemon/reader-thread.ts";
import { type FromReaderToGate, type GateRoot, gateSharedBytes } from "../../src/gate/messages.ts";
import { type FromReader, planOf, type WatchReport } from "../../src/reader/plan.ts";
import { type Gate, gateBits } from "../../src/rule/gate.ts";
import type { Rule, WatchPath } from "../../src/rule/rule.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { cPath } from "../helpers/c-path.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const source = join(import.meta.dir, "gate-listener.c");
const workerUrl = new URL("../../src/reader/worker.ts", import.meta.url);

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

export class GateWorld {
  readonly #group: Fd;
  readonly #wake = openEventfd();
  readonly #shared = new SharedArrayBuffer(gateSharedBytes);
  readonly #reader: ReaderThread;
  readonly #listener: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #roots = new MessageChannel();
  readonly #sentinel: string;
  readonly #said: FromReaderToGate[] = [];
  readonly #planned = new Map<number, PromiseWithResolvers<WatchReport>>();
  readonly log: string[] = [];
  #asked: string[] = [];
  #rest = "";
  #generation = 0;

  constructor({ preContent = false } = {}) {
    const dir = tempDir();
    const program = dir.join("listener");
    const { success, stderr } = Bun.spawnSync(["cc", "-O1", "-o", program, source]);
    if (!success) throw new Error(stderr.toString());
    this.#group = permissionGroup({ preContent, audit: false });
    this.#sentinel = dir.write("sentinel");
    this.#listener = Bun.spawn([program], {
      stdio: ["pipe", "pipe", "inherit", this.#group.number],
    }) as Bun.Subprocess<"pipe", "pipe", "inherit">;
    void this.#listen();
    this.#roots.port1.on("message", (message: FromReaderToGate) => this.#said.push(message));
    this.#roots.port1.unref();
    const onDeath = (reason: string): void => void this.log.push(`died: ${reason}`);
    this.#reader = new ReaderThread({
      url: workerUrl,
      onMessage: (message) => this.#take(message),
      onDeath,
    });
    atTestEnd(() => this.#close());
  }

  async #close(): Promise<void> {
    this.#listener.kill("SIGKILL");
    await this.#listener.exited;
    this.#group.close(); // all that is held goes on
    this.#reader.send({ kind: "drain", flushMs: 0 });
    this.#roots.port1.close();
  }

  /** Another configuration. @returns what is watched when all is walked */
  async plan(gates: readonly Gate[], rules: readonly Rule[] = []): Promise<WatchReport> {
    const report = this.send(gates, rules);
    const { promise: died, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`no report: ${this.log.join("\n")}`)), 10_000);
    return Promise.race([report, died]).finally(() => clearTimeout(timer));
  }

  send(gates: readonly Gate[], rules: readonly Rule[] = []): Promise<WatchReport> {
    const generation = ++this.#generation;
    const isFirst = generation === 1;
    const rootsPort = isFirst ? { rootsPort: this.#roots.port2 } : {};
    const group = { groupFd: this.#group.number, shared: this.#shared, wakeFd: this.#wake.number };
    const plan = planOf(rules, {
      generation,
      everyPathMustWork: false,
      uidOf: () => null,
      ...(gates.length > 0 && { gates: { ...group, ...rootsPort, generation, gates } }),
    });
    const planned = Promise.withResolvers<WatchReport>();
    this.#planned.set(generation, planned);
    this.#reader.send({ kind: "plan", plan }, isFirst ? [this.#roots.port2] : []);
    return planned.promise;
  }

  #take(message: FromReader): void {
    if (message.kind === "planned") this.#planned.get(message.generation)!.resolve(message.report);
    if (message.kind === "log") this.log.push(message.text);
    if (message.kind === "cannot-watch") this.log.push(message.text);
  }

  async #listen(): Promise<void> {
    for await (const bytes of this.#listener.stdout) {
      const lines = (this.#rest + latin1(bytes)).split("\n");
      this.#rest = lines.pop()!;
      this.#asked.push(...lines);
    }
  }

  /** What the kernel asks while `act` opens something: the mask in hexadecimal, a blank and the path. */
  async askedDuring(act: () => void): Promise<string[]> {
    const end = ` ${this.#sentinel}`;
    this.#asked = [];
    act();
    permissionMarkAdd(this.#group.number, "inode", cPath(this.#sentinel), FAN_OPEN_PERM);
    closeSync(openSync(this.#sentinel, "r"));
    await waitFor(() => this.#asked.some((line) => line.endsWith(end)), { what: "the sentinel" });
    const lines = this.#asked.filter((line) => !line.endsWith(end));
    return lines.map((line) => Buffer.from(fromLatin1(line)).toString());
  }

  /** Whether the kernel asks before a file is opened. */
  async isHeld(path: string): Promise<boolean> {
    const asked = await this.askedDuring(() => closeSync(openSync(path, "r")));
    return asked.length > 0;
  }

  /** Until the reader has followed what a test has done. */
  async untilHeld(...paths: string[]): Promise<void> {
    for (const path of paths)
      await waitFor(() => this.isHeld(path), {
        what: `${path} to be held`,
        state: () => this.log.join("\n"),
      });
  }

  async untilFree(...paths: string[]): Promise<void> {
    for (const path of paths)
      await waitFor(async () => !(await this.isHeld(path)), { what: `${path} to be free` });
  }

  /** Marks that the group has besides the sentinel's (proc_pid_fdinfo(5)). */
  get marks(): readonly string[] {
    const info = readFileSync(`/proc/self/fdinfo/${this.#group.number}`, "utf8").split("\n");
    const sentinel = `ino:${statSync(this.#sentinel).ino.toString(16)} `;
    const marks = info.filter((line) => /^fanotify (ino|mnt_id|sdev):/.test(line));
    return marks.filter((line) => !line.includes(sentinel));
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

export function realPath(root: GateRoot | undefined): string | undefined {
  return root && Buffer.from(root.path).toString();
}
