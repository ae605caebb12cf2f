/**
 * Random work of several writers against a model of it, with each backend.
 *
 * FACRON_STRESS_SECONDS sets how long each takes (5), FACRON_TEST_FILESYSTEMS where (tmpfs; "all");
 * FACRON_TEST_SEED does a run's work again; FACRON_STRESS_EXAMPLES=1 shows what is in doubt.
 */
import { describe, expect } from "bun:test";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EventLine, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { report } from "../helpers/report.ts";
import { requires } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { chosenPlacesAndScopes, optionsFor } from "./filesystems.ts";
import { Quiet } from "./quiet.ts";
import { newSeed, type Random, seededRandom } from "./random.ts";
import { doubled, StressModel, wrongPath } from "./stress-model.ts";
import type { Batch, Left } from "./stress-writer.ts";
import { collectLines, type Lines } from "../helpers/lines.ts";

const seconds = Number(process.env["FACRON_STRESS_SECONDS"] ?? 5);
const writerNames = ["x", "y", "z"];
const events = "create,delete,modify,close_write,rename,moved_from,moved_to";

/**
 * What goes into a directory that is too new to be watched leaves no record of where it went. It is told
 * when it is found, under the path that it has by then; the more facron lags, which it is made to, the
 * more lines have a path that is only true of another moment. inotify does not say either which of the
 * directories that had a name is meant. Nothing may be lost for it, and at the end all must be right.
 */
const wrongShareMax = { fanotify: 0.02, inotify: 0.1, filesystem: 0, poll: 0 };

/**
 * What is said of directories that are gone before it is known where they were moved to; or where they
 * were, of one that was moved in and replaced by another of its name: that has no record.
 */
const untoldWarning =
  /^facron: warning: (\d+ events are not told|Some events may be missing): .*\n/gm;

/** Some 4,000 records: far from the kernel's default limit of 16,384. */
const queuedBytesMax = 256 * 1024;

class WriterProcess {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: Lines;
  #asked = 0;

  constructor(seed: number, name: string, directory: string) {
    const program = join(import.meta.dir, "stress-writer.ts");
    const places = [join(directory, "D", name), join(directory, "out", name)];
    this.#process = Bun.spawn([process.execPath, program, `${seed}`, name, ...places], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#lines = collectLines(this.#process.stdout, { strict: true });
  }

  async ask(question: "" | "sync" | "end"): Promise<string> {
    this.#process.stdin.write(`${question}\n`);
    await this.#process.stdin.flush();
    const at = this.#asked++;
    const answer = () => {
      if (this.#lines.ended && this.#lines.lines[at] === undefined)
        throw new Error("A writer died");
      return this.#lines.lines[at];
    };
    return waitFor(answer, { what: "a writer's batch" });
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

const stressTest = requires({ root: "uses fanotify" });

describe.each(chosenPlacesAndScopes())("$on", ({ filesystem, backend, on }) => {
  stressTest(
    "tells random work truly, and knows every directory at the end",
    async () => {
      const seed = newSeed();
      const directory = filesystem.mount(tempDir({ on: "disk" }).join("mount"));
      const top = join(directory, "D");
      mkdirSync(top);
      mkdirSync(join(directory, "out"));
      const facron = runBinary(["watch", "-r", ...optionsFor(backend), "-e", events, top]);
      await facron.ready();
      using quiet = new Quiet(facron.pid);
      const model = new StressModel();
      const writers = writerNames.map((name, n) => ({
        name,
        process: new WriterProcess(seed + n, name, directory),
      }));
      const random = seededRandom(seed);
      const end = performance.now() + seconds * 1000;
      while (performance.now() < end) {
        await oneCycle({ quiet, random, writers, model }).catch(async (error) => {
          if (quiet.isOver) await facron.exit();
          throw new Error(`${error}\n${facron.log}`);
        });
      }
      expect(facron.log.replaceAll(untoldWarning, "")).toMatch(/ready\n$/); // and no other word since
      const left = [];
      for (const { name, process } of writers) {
        left.push({ name, ...(JSON.parse(await process.ask("end")) as Left) });
      }
      await quiet.wait();
      const directories = left.flatMap((one) => one.directories);
      const probes = await probe(directories, facron, quiet);
      const lines = facron.events.filter(
        ({ path }) => !path!.includes("/probe") && !isOfWriter(path!),
      );
      const seq = facron.events.every((line, at) => line.seq === at + 1);
      const merges = backend !== "inotify";
      const faults = model.faultsOf(lines, { merges });
      const lost = model.lostOf(lines, { merges });
      const untold = left.flatMap((one) => model.untold(one.name, one, lines));
      report("stress", `${on}, seed ${seed}`, {
        ...{ operations: model.operations, lines: facron.events.length },
        ...{ lost: lost.length, doubled: faults.count(doubled), wrong: faults.count(wrongPath) },
        ...{ untold: untold.length, probes: probes.length },
      });
      const inDoubt = faults.count(doubled, wrongPath);
      if (inDoubt > 0) console.error(`lines in doubt: ${faults.summary}`);
      if (process.env["FACRON_STRESS_EXAMPLES"])
        console.error(
          [...faults.examples, ...some("lost", lost), ...some("untold", untold)].join("\n"),
        );
      if (probes.length > 0) console.error(`probes in doubt:\n${probes.join("\n")}\n${facron.log}`);
      expect(seq).toBe(true);
      expect(inDoubt > lines.length * wrongShareMax[backend] ? faults.examples : []).toEqual([]);
      expect(untold).toEqual([]);
      expect(probes).toEqual([]);
    },
    seconds * 1000 + 60_000,
  );
});

interface Cycle {
  readonly quiet: Quiet;
  readonly random: Random;
  readonly writers: readonly { readonly name: string; readonly process: WriterProcess }[];
  readonly model: StressModel;
}

/** Some batches of each; now and then facron is made to lag behind. */
async function oneCycle({ quiet, random, writers, model }: Cycle): Promise<void> {
  const lags = random.chance(0.3);
  if (lags) {
    await quiet.wait(); // stopped while it holds a lease it would stop the writers too
    await Promise.all(writers.map(({ process }) => process.ask("sync")));
    model.sync();
    await quiet.pause();
  }
  for (
    let batches = random.below(8);
    batches >= 0 && quiet.queuedBytes < queuedBytesMax;
    batches--
  ) {
    const answers = await Promise.all(writers.map(({ process }) => process.ask("")));
    answers.forEach((answer, n) => model.add(writers[n]!.name, JSON.parse(answer) as Batch));
  }
  if (lags) quiet.resume();
  await waitFor(() => quiet.queuedBytes < queuedBytesMax / 2, { what: "facron to catch up" });
}

/** Each directory that is there is watched, under its path and once. @returns what is not so */
async function probe(
  directories: readonly string[],
  facron: RunningBinary,
  quiet: Quiet,
): Promise<string[]> {
  const isProbe = ({ path }: EventLine) => /\/probed?\d+$/.test(path!);
  const expected: string[] = [];
  directories.forEach((directory, n) => {
    writeFileSync(`${directory}/probe${n}`, "");
    renameSync(`${directory}/probe${n}`, `${directory}/probed${n}`);
    expected.push(
      `create ${directory}/probe${n}`,
      `close_write ${directory}/probe${n}`,
      `rename ${directory}/probed${n} from ${directory}/probe${n}`,
    );
  });
  await quiet.wait();
  await facron.stop();
  const told = facron.events.filter(isProbe).flatMap(textsOf);
  const ignored = told.filter((text) => !/^(moved_|modify )/.test(text));
  return [
    ...expected.filter((text) => !ignored.includes(text)).map((text) => `missing: ${text}`),
    ...ignored.filter((text) => !expected.includes(text)).map((text) => `wrong: ${text}`),
    ...ignored.filter((text, at) => ignored.indexOf(text) !== at).map((text) => `twice: ${text}`),
  ];
}

function textsOf(line: EventLine): string[] {
  const from = line["from"] === undefined ? "" : ` from ${String(line["from"])}`;
  return line.events.map((event) => `${event} ${line.path}${from}`);
}

function some(kind: string, all: readonly string[]): string[] {
  return all.slice(0, 5).map((what) => `${kind}: ${what}`);
}

/** The writers' own directories, which they make before the model begins. */
function isOfWriter(path: string): boolean {
  return /\/D\/[xyz]$/.test(path);
}
