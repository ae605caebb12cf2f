/**
 * What becomes of questions, in a thread without a kernel that holds anybody: files are opened here, and
 * each answer to the group is one that nobody waits for (ENOENT).
 */
import { describe, expect } from "bun:test";
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { utf8 } from "../../ffi/bytes.ts";
import { permissionGroup } from "../../ffi/fanotify/permission.ts";
import { type Fd, O, openFd } from "../../ffi/fd.ts";
import { Court } from "../../src/gate/court.ts";
import { Judge } from "../../src/gate/judge.ts";
import type { AskedQuestion, FromGate, GatePlan } from "../../src/gate/messages.ts";
import { gateCells, gateSharedBytes } from "../../src/gate/messages.ts";
import { Outbox } from "../../src/gate/outbox.ts";
import { Replies } from "../../src/gate/replies.ts";
import { Tally } from "../../src/gate/tally.ts";
import { gateBits, type PlannedAsk, type PlannedGate } from "../../src/rule/gate.ts";
import { cPath } from "../helpers/c-path.ts";
import { mountImage, mountOverlay } from "../helpers/mount.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { requires } from "../helpers/requires.ts";
import { TempDir, tempDir } from "../helpers/temp-dir.ts";
import { gate, planOf } from "./planned.ts";
import { Scribbler } from "./scribbler.ts";

const rootTest = requires({ root: "a permission group" });

const ask: PlannedAsk = {
  ...{ kind: "ask", timeoutMs: 1000, onTimeout: "allow", onError: "deny", cacheMs: 60_000 },
  told: [],
};

interface Setting {
  readonly gates?: readonly PlannedGate[];
  readonly plan?: Partial<GatePlan>;
  readonly pendingMax?: number;
  /** So long ago all files were changed, as the judge sees it. */
  readonly ageMs?: number;
  /** What the close look says of whoever asks. */
  readonly isOurs?: boolean;
  /** What the files are on. */
  readonly on?: Filesystem;
}

type Filesystem = "tmpfs" | "overlay" | "ext4" | "xfs" | "btrfs" | "ext4 in seconds";

function directoryOn(type: Filesystem): TempDir {
  const outer = tempDir();
  if (type === "tmpfs") return outer;
  const point = outer.mkdir("point");
  if (type === "overlay") mountOverlay(point);
  else if (type === "ext4 in seconds") mountImage(point, "ext4", ["-I", "128"]);
  else mountImage(point, type);
  return new TempDir(point);
}

class World implements Disposable {
  readonly directory: TempDir;
  readonly sent: FromGate[] = [];
  readonly warnings: string[] = [];
  readonly tally = new Tally();
  readonly judge: Judge;
  readonly #group = permissionGroup({ preContent: false, audit: false });
  readonly #cells = new Int32Array(new SharedArrayBuffer(gateSharedBytes));
  readonly outbox: Outbox;

  constructor({
    gates = [gate({ decision: ask })],
    plan,
    pendingMax = 100,
    ageMs = 1000,
    isOurs = false,
    on = "tmpfs",
  }: Setting) {
    this.directory = directoryOn(on);
    const send = (message: FromGate): void => void this.sent.push(message);
    this.outbox = new Outbox({ send, cells: this.#cells });
    this.judge = new Judge(this.court(gates, plan), {
      ...{ outbox: this.outbox, tally: this.tally, send, pendingMax },
      replies: new Replies(this.#group.number),
      log: { info: () => {}, warn: (text) => void this.warnings.push(text), error: () => {} },
      isOurs: () => isOurs,
      nowNanoseconds: () => (Date.now() + ageMs) * 1e6,
    });
    this.outbox.follow("all");
  }

  /** Its gates are about all that is in the directory. */
  court(gates: readonly PlannedGate[], plan: Partial<GatePlan> = {}): Court {
    const court = new Court(planOf(gates, plan));
    this.tally.follow(gates);
    const claims = gates.map((_, at) => {
      return { gate: at, recursive: true, skipsHidden: false, names: null };
    });
    const path = utf8(this.directory.path);
    court.setRoot({ generation: 1, key: "root", path, inode: "0:0:0", isDirectory: true, claims });
    return court;
  }

  /** A file is opened, at `now`. */
  open(path: string, now = 0, events: number = gateBits.open_perm, pid = process.pid): void {
    const eventFd = openFd(cPath(path), O.RDONLY).number;
    this.judge.beginRead();
    this.judge.decide({ eventFd, events, pid, range: null }, now);
  }

  /** Paths that lines have told. */
  get paths(): string[] {
    return this.#lines.map(({ path }) => path ?? "");
  }

  /** What has been asked of commands so far. */
  get asked(): AskedQuestion[] {
    return this.sent.flatMap((one) => (one.kind === "ask" ? [one.question] : []));
  }

  /** Verdicts so far, and what they came from. */
  get told(): string[] {
    return this.#lines.map(({ verdict, by }) => `${verdict} ${by}`);
  }

  get #lines(): Record<string, string>[] {
    this.outbox.handOver();
    const bytes = this.sent.flatMap((one) => (one.kind === "lines" ? [one.lines.bytes] : []));
    return bytes.flatMap((one) => {
      const lines = new TextDecoder().decode(one).split("\n").slice(0, -1);
      return lines.map((line) => JSON.parse(`{${line}`));
    });
  }

  wrote(bytes: number): void {
    this.#cells[gateCells.lineBytes]! -= bytes;
  }

  /** Bytes of lines that the main thread has not written yet. */
  get lineBytes(): number {
    return this.#cells[gateCells.lineBytes]!;
  }

  [Symbol.dispose](): void {
    this.#group.close();
  }
}

rootTest("a command of ours that is taken for a stranger is neither asked about nor denied", () => {
  for (const decision of [ask, { kind: "deny" } as const]) {
    using world = new World({ gates: [gate({ decision })], isOurs: true });
    world.open(world.directory.write("f"));
    expect({ asked: world.asked, told: world.told }).toEqual({ asked: [], told: [] });
  }
});

describe("an answer is kept", () => {
  rootTest("for the same file, unchanged, until its time is over", () => {
    using world = new World({ on: "ext4" });
    const path = world.directory.write("a");
    world.open(path, 0);
    world.judge.answer(world.asked[0]!.id, "deny", 10);
    world.open(path, 60_009);
    world.open(path, 60_010);
    expect(world.told).toEqual(["deny command", "deny cache"]);
    expect(world.asked).toHaveLength(2);
  });

  rootTest("by whatever name the file is opened, and for no other event", () => {
    using world = new World({ on: "ext4", gates: [gate({ decision: ask, events: 0xf })] });
    const path = world.directory.write("a");
    world.open(path);
    world.judge.answer(world.asked[0]!.id, "allow", 0);
    renameSync(path, world.directory.join("b"));
    world.open(world.directory.join("b"), 1); // a rename is a change (ctime)
    world.judge.answer(world.asked[1]!.id, "allow", 1);
    world.open(world.directory.join("b"), 2);
    world.open(world.directory.join("b"), 3, gateBits.access_perm);
    expect(world.told).toEqual(["allow command", "allow command", "allow cache"]);
    expect(world.asked).toHaveLength(3);
  });

  rootTest("not if the file was changed while the command looked at it", () => {
    using world = new World({ on: "ext4" });
    const path = world.directory.write("a");
    world.open(path);
    appendFileSync(path, "more");
    world.judge.answer(world.asked[0]!.id, "allow", 0);
    world.open(path, 1);
    expect(world.asked).toHaveLength(2);
  });

  rootTest(
    "not if it was changed so short a time ago that the next change may have the same time",
    () => {
      using world = new World({ on: "ext4", ageMs: -3_600_000 });
      const path = world.directory.write("a");
      world.open(path);
      world.judge.answer(world.asked[0]!.id, "allow", 0);
      world.open(path, 1);
      expect(world.asked).toHaveLength(2);
    },
  );

  rootTest("not if the command failed, nor with cache = 0", () => {
    const gates = [gate({ decision: { ...ask, cacheMs: 0 } })];
    using failing = new World({ on: "ext4" });
    using uncached = new World({ on: "ext4", gates });
    for (const [world, answer] of [
      [failing, "error"],
      [uncached, "deny"],
    ] as const) {
      const path = world.directory.write("a");
      world.open(path);
      world.judge.answer(world.asked[0]!.id, answer, 0);
      world.open(path, 1);
      expect(world.asked).toHaveLength(2);
    }
    expect(failing.told).toEqual(["deny error"]);
    expect(uncached.told).toEqual(["deny command"]);
  });

  rootTest("not for the gates that came while it was looked for, nor is one from before", () => {
    using world = new World({ on: "ext4" });
    const [early, late] = [world.directory.write("early"), world.directory.write("late")];
    world.open(early);
    world.judge.answer(world.asked[0]!.id, "allow", 0);
    world.open(late);
    world.judge.follow(world.court([gate({ decision: { ...ask, onError: "allow" } })]));
    world.judge.answer(world.asked[1]!.id, "allow", 1);
    world.open(early, 2);
    world.open(late, 2);
    expect(world.told).toEqual(["allow command", "allow command"]);
    expect(world.asked).toHaveLength(4);
  });

  rootTest("for all of a file that a command has filled (pre_access)", () => {
    const gates = [gate({ decision: ask, events: gateBits.pre_access })];
    using world = new World({ on: "ext4", gates, ageMs: 0 });
    const path = world.directory.write("a");
    world.open(path, 0, gateBits.pre_access);
    appendFileSync(path, "a part");
    world.open(path, 1, gateBits.pre_access); // joins
    appendFileSync(path, " and the rest");
    world.judge.answer(world.asked[0]!.id, "allow", 2);
    world.open(path, 3, gateBits.pre_access);
    expect(world.asked).toHaveLength(1);
    expect(world.told).toEqual(["allow command", "allow command", "allow cache"]);
    appendFileSync(path, "changed by somebody");
    world.open(path, 4, gateBits.pre_access);
    expect(world.asked).toHaveLength(2);
    world.judge.answer(world.asked[1]!.id, "deny", 4); // it could not be filled
    world.open(path, 5, gateBits.pre_access);
    expect(world.asked).toHaveLength(3);
  });
});

describe("an answer is kept for", () => {
  const user = 12_345; // nobody has it

  /** Somebody with that name and number, who does nothing, from the same program. */
  function sleeper(words: { readonly comm?: string; readonly uid?: number }): number {
    const { comm = "sleeper", uid = 0 } = words;
    const script = `$0 = "${comm}"; $> = ${uid}; $| = 1; print "ready\\n"; sleep 600`;
    const child = Bun.spawn(["perl", "-e", script], { stdout: "pipe", stdin: "ignore" });
    atTestEnd(() => child.kill("SIGKILL"));
    return child.pid;
  }

  async function commOf(pid: number, comm: string, uid: number): Promise<number> {
    const isSo = () =>
      readFileSync(`/proc/${pid}/comm`, "utf8") === `${comm}\n` &&
      statSync(`/proc/${pid}`).uid === uid;
    await waitFor(isSo, { what: "the process to be who it is meant to be" });
    return pid;
  }

  async function timesAsked(told: PlannedAsk["told"]): Promise<number[]> {
    using world = new World({ on: "ext4", gates: [gate({ decision: { ...ask, told } })] });
    const path = world.directory.write("a");
    const askers = [
      await commOf(sleeper({}), "sleeper", 0),
      await commOf(sleeper({}), "sleeper", 0),
      await commOf(sleeper({ comm: "another" }), "another", 0),
      await commOf(sleeper({ uid: user }), "sleeper", user),
    ];
    return askers.map((pid, at) => {
      const before = world.asked.length;
      for (const now of [at, at + 0.5]) {
        world.open(path, now, gateBits.open_perm, pid);
        const last = world.asked.at(-1);
        if (last !== undefined) world.judge.answer(last.id, "allow", now);
      }
      return world.asked.length - before;
    });
  }

  rootTest("whoever runs the same program, if the command is told no more", async () => {
    expect(await timesAsked([])).toEqual([1, 0, 0, 0]);
  });

  rootTest("the same name, user or process that the command is told", async () => {
    expect(await timesAsked(["comm"])).toEqual([1, 0, 1, 0]);
    expect(await timesAsked(["uid"])).toEqual([1, 0, 0, 1]);
    expect(await timesAsked(["pid"])).toEqual([1, 1, 1, 1]);
  });
});

describe("an answer about a file that is written through a map", () => {
  /** How many commands were asked: first, after an answer of each, and once more. */
  async function askedTimes(on: Filesystem, writes: (path: string, world: World) => Promise<void>) {
    using world = new World({ on });
    const path = world.directory.write("a", "text");
    world.open(path);
    world.judge.answer(world.asked[0]!.id, "allow", 0);
    await writes(path, world);
    const before = world.asked.length;
    world.open(path, 1);
    return 1 + world.asked.length - before;
  }

  for (const on of ["ext4", "xfs", "btrfs", "overlay", "tmpfs"] as const) {
    rootTest(`is not kept beyond the first write on ${on}`, async () => {
      const times = await askedTimes(on, async (path, world) => {
        const scribbler = new Scribbler(path);
        await scribbler.write();
        world.open(path); // its own opening is a question, when it is a writer already
        world.judge.answer(world.asked.at(-1)!.id, "allow", 0);
        await scribbler.close();
      });
      expect(times).toBe(2);
    });

    for (const keeps of ["map", "descriptor"] as const)
      rootTest(`is not kept on ${on} while its writer has the ${keeps}`, async () => {
        using world = new World({ on });
        const path = world.directory.write("a", "text");
        const scribbler = new Scribbler(path, keeps);
        await scribbler.write();
        world.open(path);
        world.judge.answer(world.asked[0]!.id, "allow", 0);
        await scribbler.write();
        world.open(path, 1);
        expect(world.asked).toHaveLength(2);
        await scribbler.write();
        await scribbler.close(); // it has written while the command looked, and is no writer any more
        world.judge.answer(world.asked[1]!.id, "allow", 1);
        world.open(path, 2);
        expect(world.asked).toHaveLength(3);
      });
  }

  for (const on of ["ext4", "xfs", "btrfs", "tmpfs"] as const)
    rootTest(`is kept on ${on} when all writers are gone`, async () => {
      expect(await askedTimes(on, async () => {})).toBe(1);
    });
});

rootTest("where times are whole seconds an answer is kept once two are over", () => {
  const asked = (ageMs: number): number => {
    using world = new World({ on: "ext4 in seconds", ageMs });
    const path = world.directory.write("a");
    world.open(path);
    world.judge.answer(world.asked[0]!.id, "allow", 0);
    world.open(path, 1);
    return world.asked.length;
  };
  expect(asked(1_000)).toBe(2);
  expect(asked(4_000)).toBe(1);
});

describe("who waits", () => {
  rootTest("for the same file waits for one run, and all go on with it", () => {
    using world = new World({});
    const path = world.directory.write("a");
    linkSync(path, world.directory.join("link"));
    for (let i = 0; i < 5; i++) world.open(i % 2 === 0 ? path : world.directory.join("link"));
    expect(world.asked).toHaveLength(1);
    expect(world.tally.counts[0]).toMatchObject({ waiting: 5 });
    world.judge.answer(world.asked[0]!.id, "deny", 1);
    expect(world.told).toEqual(Array.from({ length: 5 }, () => "deny command"));
    expect(world.tally.counts[0]).toMatchObject({ waiting: 0, denied: 5, allowed: 0 });
  });

  rootTest("waits no longer than timeout; an answer that comes later is none", () => {
    using world = new World({});
    world.open(world.directory.write("a"), 0);
    world.open(world.directory.write("b"), 500);
    world.judge.expire(999);
    expect(world.told).toEqual([]);
    world.judge.expire(1_000);
    expect(world.told).toEqual(["allow timeout"]);
    const { id } = world.asked[0]!;
    expect(world.sent).toContainEqual({ kind: "give-up", id, why: "timeout" });
    world.judge.answer(id, "deny", 1_001);
    expect(world.told).toEqual(["allow timeout"]);
    expect(world.judge.pending.nextDeadline).toBe(1_500);
    expect(world.tally.counts[0]).toMatchObject({ timedOut: 1, waiting: 1 });
  });

  rootTest("beyond the bound gets on_error, and nobody is asked for it", () => {
    using world = new World({ pendingMax: 2 });
    for (const name of ["a", "b", "c"]) world.open(world.directory.write(name));
    expect(world.asked).toHaveLength(2);
    expect(world.told).toEqual(["deny error"]);
    expect(world.tally.counts[0]).toMatchObject({ failed: 1, waiting: 2 });
    expect(world.warnings).toHaveLength(1);
    expect(world.warnings[0]).toContain(
      'on_error decided "deny": 2 processes wait for commands already',
    );
  });

  rootTest("beyond the bound is said once a minute, with how many", () => {
    using world = new World({ pendingMax: 1 });
    const path = world.directory.write("a");
    const times = [0, 0, 1, 59_999, 60_000, 60_001];
    for (const now of times) world.open(path, now);
    expect(world.warnings).toHaveLength(2);
    expect(world.warnings[1]).toEndWith("; 2 more since this was last said");
  });
});

describe("a file whose path is longer than PATH_MAX", () => {
  /** A file below so many directories; to be opened by what is returned, which is short. */
  function deepFile(directory: TempDir): { readonly path: string; readonly directory: Fd } {
    const name = "d".repeat(250);
    let deepest = openFd(cPath(directory.path), O.RDONLY | O.DIRECTORY);
    for (let bytes = 0; bytes <= 4096; bytes += name.length + 1) {
      const below = `/proc/self/fd/${deepest.number}/${name}`;
      mkdirSync(below);
      const next = openFd(cPath(below), O.RDONLY | O.DIRECTORY);
      deepest.close();
      deepest = next;
    }
    const path = `/proc/self/fd/${deepest.number}/f`;
    writeFileSync(path, "");
    return { path, directory: deepest };
  }

  const verdicts = (gates: readonly PlannedGate[], pid?: number) => {
    using world = new World({ gates });
    const { path, directory } = deepFile(world.directory);
    world.open(path, 0, gateBits.open_perm, pid);
    directory.close();
    Bun.spawnSync(["rm", "-rf", world.directory.path]);
    return world;
  };

  const allow = gate({ decision: { kind: "allow" } });

  rootTest("is not let through by a gate that may be about another one", () => {
    const { told, paths } = verdicts([allow, gate({ filter: { include: [utf8("*.no")] } })]);
    expect(told).toEqual(["deny verdict"]);
    expect(paths[0]).toMatch(/^\(path too long: device \d+:\d+, inode \d+\)$/);
  });

  rootTest("gets on_error where a command would have to be asked, and that is said", () => {
    const { told, asked, warnings } = verdicts([
      allow,
      gate({ decision: { ...ask, onError: "allow" } }),
    ]);
    expect({ told, asked }).toEqual({ told: ["allow error"], asked: [] });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('on_error decided "allow": ');
  });

  rootTest("gets it too from whoever is outside of the pid namespace, and that is why", () => {
    const { told, warnings } = verdicts([gate({ decision: ask })], 0);
    expect(told).toEqual(["deny error"]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("is outside of facron's pid namespace");
  });

  rootTest("is nothing that gates with other events, or that allow, decide about", () => {
    expect(verdicts([allow, gate({ events: gateBits.access_perm })]).told).toEqual([]);
  });
});

describe("the end", () => {
  rootTest("closes the files of all who wait", () => {
    using world = new World({});
    const before = openFiles();
    for (const name of ["a", "b"]) world.open(world.directory.write(name));
    world.open(world.directory.join("b"));
    expect(openFiles()).toBe(before + 3);
    world.judge.end();
    expect(openFiles()).toBe(before);
    world.judge.answer(world.asked[0]!.id, "deny", 1);
    expect(world.told).toEqual([]);
  });
});

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

describe("a dry run", () => {
  rootTest("asks nobody, and says what would be denied", () => {
    const gates = [gate({ filter: { include: [utf8("*.no")] } }), gate({ decision: ask })];
    using world = new World({ gates, plan: { dryRun: true } });
    world.open(world.directory.write("a.no"));
    world.open(world.directory.write("a"));
    expect(world.asked).toEqual([]);
    expect(world.told).toEqual(["deny verdict", "allow verdict"]);
  });
});

describe("lines that nobody reads", () => {
  rootTest("are bounded, and how many were left out is said", () => {
    using world = new World({ gates: [gate()] });
    const path = world.directory.write("a");
    while (world.lineBytes <= 16 * 1024 * 1024) world.open(path);
    const before = world.lineBytes;
    for (let i = 0; i < 1_000; i++) world.open(path);
    world.outbox.handOver();
    expect(world.lineBytes).toBe(before);
    expect(world.outbox.owesLoss).toBe(true);
    world.wrote(before);
    world.outbox.handOver();
    expect(world.sent.at(-1)).toMatchObject({ kind: "lines", lines: { lost: 1_000 } });
    expect(world.outbox.owesLoss).toBe(false);
  });
});
