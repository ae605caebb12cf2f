/** THE CONTRACT: one suite of scripts, run by each backend on each filesystem. */
import { beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "../../scripts/build.ts";
import { isRoot, requires } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { filesystems } from "./filesystems.ts";
import { Places } from "./places.ts";
import { type RoundResult, runScript } from "./run-script.ts";
import { backends, parseScript, whyNot } from "./script.ts";

const scripts = readdirSync(import.meta.dir)
  .filter((file) => file.endsWith(".script"))
  .sort()
  .map((file) => {
    const script = parseScript(readFileSync(join(import.meta.dir, file), "utf8"));
    return { name: basename(file, ".script"), ...script };
  });

/** Without root the test of the mount says why these are skipped. */
const scriptTest = isRoot() ? test.concurrent : test.skip;

/** A facron each: more of them at once only wait for each other. */
const places = new Places(6);

const timeoutMs = 30_000;

beforeAll(() => void build());

for (const filesystem of filesystems) {
  describe(filesystem.name, () => {
    const here = tempDir();
    let directory: string | null = null;
    const mountOnce = () => (directory ??= filesystem.mount(here.join("mount")));

    requires(filesystem.needs)("can be mounted here", () => {
      mountOnce();
    });

    for (const backend of backends) {
      for (const script of scripts) {
        const title = `${backend}, ${script.name}: ${script.claim}`;
        const reason = whyNot(script, filesystem.name, backend);
        if (reason !== null) {
          console.error(`not on ${filesystem.name}: ${title}: ${reason}`);
          continue;
        }
        scriptTest(
          title,
          () =>
            places.use(async () => {
              const results = await runScript(script, {
                directory: join(mountOnce(), `${script.name}.${backend}`),
                backend,
              });
              expect(transcript(results, "told")).toBe(transcript(results, "expected"));
            }),
          timeoutMs,
        );
      }
    }
  });
}

/** All rounds as a script has them: the failure shows what was done and what is missing. */
function transcript(results: readonly RoundResult[], which: "told" | "expected"): string {
  const text = ({ acts, [which]: lines }: RoundResult) =>
    ["acts:", ...acts, "Output:", ...lines].join("\n  ");
  return results.map(text).join("\n");
}
