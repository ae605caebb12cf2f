/** Two machines hand files to each other through a shared directory: two mounts of it, each blind to the other. */
import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { FuseServer } from "../helpers/fuse-server.ts";
import { requires } from "../helpers/requires.ts";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const fuseTest = requires({ root: "mounts a filesystem", tools: ["bindfs"] });

const filesEach = 1000;
const writersEach = 10;
const partsMax = 4;

interface Machine {
  readonly facron: RunningBinary;
  /** Where it sees the share. */
  readonly mount: string;
  /** What its command wrote: "SHA256  PATH" for each file that it was given. */
  readonly taken: () => readonly string[];
}

async function machine(dir: TempDir, name: string): Promise<Machine> {
  const server = await FuseServer.start(dir.join("shared"), dir.join(name));
  const list = dir.join(`${name}.list`);
  const config = dir.write(
    `${name}.toml`,
    `[[rule]]
watch = "${join(server.path, `for-${name}`)}"
on = ["close_write", "moved_to"]
exclude = "*.part"
backend = "poll"
poll_interval = "250ms"
shell = 'sha256sum "$FACRON_PATH" >>${list} && rm "$FACRON_PATH"'
`,
  );
  const facron = await runBinary(["-c", config]).ready();
  const taken = (): readonly string[] =>
    existsSync(list) ? readFileSync(list, "utf8").trimEnd().split("\n") : [];
  return { facron, mount: server.path, taken };
}

/** In parts, with pauses that are shorter than the interval, or under another name until it is whole. */
async function writeOne(path: string, number: number): Promise<string> {
  const hash = createHash("sha256");
  const isRenamed = number % 2 === 1;
  const name = isRenamed ? `${path}.part` : path;
  for (let part = 0; part < 1 + (number % partsMax); part++) {
    const bytes = Buffer.alloc(1 + ((number * 7919) % 30_000), `${number}.${part} `);
    hash.update(bytes);
    appendFileSync(name, bytes);
    await Bun.sleep(number % 5); // the writer's own time, no condition is waited for
  }
  if (isRenamed) renameSync(name, path);
  return hash.digest("hex");
}

/** @returns what the other machine must have taken */
async function handOver(from: Machine, to: string): Promise<string[]> {
  const expected: string[] = [];
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < filesEach) {
      const number = next++;
      const path = join(from.mount, `for-${to}`, `file ${number}`);
      expected.push(`${await writeOne(path, number)} file ${number}`);
    }
  };
  await Promise.all(Array.from({ length: writersEach }, writer));
  return expected.sort();
}

function named(lines: readonly string[]): string[] {
  return lines.map((line) => `${line.slice(0, 64)} ${basename(line)}`).sort();
}

fuseTest(
  "two machines give each other 1,000 files each: none lost, none twice, none in half",
  async () => {
    const dir = tempDir();
    for (const name of ["a", "b"])
      mkdirSync(dir.join("shared", `for-${name}`), { recursive: true });
    const [a, b] = await Promise.all([machine(dir, "a"), machine(dir, "b")]);
    const [forB, forA] = await Promise.all([handOver(a, "b"), handOver(b, "a")]);
    for (const { taken, facron } of [a, b])
      await waitFor(() => taken().length >= filesEach, {
        what: "all files to be taken",
        deadlineMs: 30_000,
        state: () => `${taken().length} taken\n${facron.log}`,
      });
    for (const { facron } of [a, b]) {
      facron.signal("SIGTERM"); // which looks once more
      expect(await facron.exit()).toEqual({ code: 0, signal: null });
      expect(facron.log).not.toMatch(/warn|error/);
    }
    expect(named(a.taken())).toEqual(forA);
    expect(named(b.taken())).toEqual(forB);
  },
  60_000,
);
