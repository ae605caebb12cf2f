/** SIGKILL at random moments while durable rules are busy: what ran, what ran twice, and the journal after it. */
import { Database } from "bun:sqlite";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Random, seededRandom } from "../../test/contract/random.ts";

export interface KillOptions {
  /** The built binary. */
  readonly facron: string;
  /** Empty; on a disk. */
  readonly directory: string;
  readonly kills: number;
  /** Files that are written meanwhile: each is one trigger. */
  readonly triggers: number;
  readonly seed: number;
  readonly progress?: (text: string) => void;
}

export interface KillResult {
  /** Triggers without a run. */
  readonly missing: number;
  /** Runs beyond the first of a trigger. */
  readonly repeats: number;
  /** `PRAGMA integrity_check`: "ok". */
  readonly integrity: string;
  /** Entries that were left when all was done. */
  readonly left: number;
  readonly seconds: number;
}

/** It is killed somewhere in this time from its start: before it is ready, and long after. */
const lifeMs = { min: 20, max: 600 };

/** No run for so long: what is missing by then has not run. */
const patienceMs = 20_000;

/** @throws {Error} if facron ends by itself */
export async function killDurable(options: KillOptions): Promise<KillResult> {
  const run = new KillRun(options);
  const start = performance.now();
  await run.begin();
  for (let kill = 1; kill <= options.kills; kill++) await run.round(kill);
  const left = await run.finish();
  return { ...run.count(), left, seconds: (performance.now() - start) / 1000 };
}

class KillRun {
  readonly #options: KillOptions;
  readonly #random: Random;
  readonly #in: string;
  readonly #ran: string;
  readonly #config: string;
  readonly #log: string;
  #written = 0;

  constructor(options: KillOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    const { directory } = options;
    this.#in = join(directory, "in");
    this.#ran = join(directory, "ran");
    this.#log = join(directory, "log");
    this.#config = join(directory, "facron.toml");
    mkdirSync(this.#in);
    for (const file of [this.#ran, this.#log]) writeFileSync(file, "");
    writeFileSync(this.#config, this.#rules());
  }

  #rules(): string {
    const record = `printf '%s\\n' "$0" >>${this.#ran}`;
    return [
      "[facron]",
      `state_dir = ${JSON.stringify(join(this.#options.directory, "state"))}`,
      "[[rule]]",
      'name = "record"',
      `watch = ${JSON.stringify(this.#in)}`,
      'on = "close_write"',
      `run = ["/bin/sh", "-c", ${JSON.stringify(record)}, "{name}"]`,
      "durable = true",
    ].join("\n");
  }

  /** What happened before it was there for the first time is not its business. */
  async begin(): Promise<void> {
    const facron = this.#start();
    while (!readFileSync(this.#log, "utf8").includes("facron: ready")) {
      if (facron.exitCode !== null) throw new Error(`It does not start:\n${this.#lastWords()}`);
      await Bun.sleep(10);
    }
    facron.kill("SIGKILL");
    await facron.exited;
  }

  /** Start it, let it work, kill it; files are written before, meanwhile and after. */
  async round(kill: number): Promise<void> {
    const { kills, triggers } = this.#options;
    const until = Math.round((triggers * kill) / kills);
    const facron = this.#start();
    const life = lifeMs.min + this.#random.below(lifeMs.max - lifeMs.min);
    const writing = this.#writeUntil(until, life * 1.1);
    await Bun.sleep(life);
    const { exitCode } = facron;
    if (exitCode !== null)
      throw new Error(`It ended by itself with code ${exitCode}:\n${this.#lastWords()}`);
    facron.kill("SIGKILL");
    await facron.exited;
    await writing;
    this.#options.progress?.(`kill ${kill} of ${kills}`);
  }

  #start(): Bun.Subprocess {
    return Bun.spawn([this.#options.facron, "--config", this.#config], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: Bun.file(this.#log),
    });
  }

  async #writeUntil(count: number, withinMs: number): Promise<void> {
    const pauses = Math.max(Math.floor(withinMs / 10), 1);
    const some = Math.max(Math.ceil((count - this.#written) / pauses), 1);
    while (this.#written < count) {
      for (let n = 0; n < some && this.#written < count; n++)
        writeFileSync(join(this.#in, String(this.#written++)), "x");
      await Bun.sleep(this.#random.below(20));
    }
  }

  /** Let it do what is left. @returns entries that it does not do */
  async finish(): Promise<number> {
    const facron = this.#start();
    let before = -1;
    let since = performance.now();
    for (;;) {
      const runs = this.#runs().length;
      if (runs !== before) since = performance.now();
      before = runs;
      const quietMs = performance.now() - since;
      if (quietMs > 3_000 && this.#missing() === 0) break;
      if (quietMs > patienceMs) break;
      await Bun.sleep(100);
    }
    facron.kill("SIGTERM");
    await facron.exited;
    const asked = Bun.spawnSync([this.#options.facron, "queue", "--json", "-c", this.#config]);
    return asked.stdout.toString().split("\n").filter(Boolean).length;
  }

  #runs(): string[] {
    return readFileSync(this.#ran, "utf8").split("\n").filter(Boolean);
  }

  #missing(): number {
    return this.#options.triggers - new Set(this.#runs()).size;
  }

  count(): Pick<KillResult, "missing" | "repeats" | "integrity"> {
    const runs = this.#runs();
    const missing = this.#missing();
    const repeats = runs.length - (this.#options.triggers - missing);
    return { missing, repeats, integrity: this.#integrity() };
  }

  #integrity(): string {
    const state = join(this.#options.directory, "state");
    const name = readdirSync(state).find((one) => one.endsWith(".journal"))!;
    const database = new Database(join(state, name), { readwrite: true });
    try {
      const [row] = database.query<{ integrity_check: string }, []>("PRAGMA integrity_check").all();
      return row!.integrity_check;
    } finally {
      database.close();
    }
  }

  #lastWords(): string {
    return readFileSync(this.#log, "utf8").split("\n").slice(-10).join("\n");
  }
}
