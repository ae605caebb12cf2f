/** --watch-config: a configuration that is changed, in any of the ways in which files are changed. */
import { describe, expect, test } from "bun:test";
import { linkSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

interface Following {
  readonly dir: TempDir;
  readonly facron: RunningBinary;
}

function rule(dir: TempDir, name: string): string {
  return `[[rule]]\nname = "${name}"\nwatch = "${dir.join("in")}"\non = "close_write"\n`;
}

async function following(prepare: (dir: TempDir) => string): Promise<Following> {
  const dir = tempDir();
  dir.mkdir("in");
  const facron = await runBinary(["--watch-config", "-c", prepare(dir)]).ready();
  return { dir, facron };
}

/** The rule that is in force now has this name. */
async function becomes({ dir, facron }: Following, name: string): Promise<void> {
  await waitFor(
    () => {
      dir.write("in/file", "text");
      return facron.events.some((event) => (event["rules"] as string[]).includes(name));
    },
    { what: `rule ${name}`, state: () => facron.log },
  );
}

describe("a changed configuration is followed when it", () => {
  const ways: Record<string, (file: string, text: string) => void> = {
    "is written over": (file, text) => writeFileSync(file, text),
    "is replaced by rename": (file, text) => {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    },
    "is edited by sed -i": (file) => void Bun.spawnSync(["sed", "-i", "s/old/new/", file]),
    "is removed and made again": (file, text) => {
      rmSync(file);
      writeFileSync(file, text);
    },
    "gets another hard link's text": (file, text) => {
      writeFileSync(`${file}.link`, text);
      rmSync(file);
      linkSync(`${file}.link`, file);
    },
    "is moved away for a backup, as vi does": (file, text) => {
      renameSync(file, `${file}~`);
      writeFileSync(file, text);
    },
  };
  for (const [way, change] of Object.entries(ways)) {
    test(way, async () => {
      const place = await following((dir) => dir.write("facron.toml", rule(dir, "old")));
      change(place.dir.join("facron.toml"), rule(place.dir, "new"));
      await becomes(place, "new");
    });
  }

  test("is a link that leads elsewhere, as Kubernetes swaps ..data", async () => {
    const place = await following((dir) => {
      for (const [version, name] of [
        ["1", "old"],
        ["2", "new"],
      ] as const) {
        dir.mkdir(`v${version}`);
        dir.write(`v${version}/facron.toml`, rule(dir, name));
      }
      symlinkSync("v1", dir.join("..data"));
      symlinkSync("..data/facron.toml", dir.join("facron.toml"));
      return dir.join("facron.toml");
    });
    symlinkSync("v2", place.dir.join("..data.new"));
    renameSync(place.dir.join("..data.new"), place.dir.join("..data"));
    await becomes(place, "new");
  });

  test("includes a file that is new", async () => {
    const place = await following((dir) => {
      dir.mkdir("more");
      return dir.write("facron.toml", `[facron]\ninclude = ["more/*.toml"]\n${rule(dir, "old")}`);
    });
    place.dir.write("more/one.toml", rule(place.dir, "new"));
    await becomes(place, "new");
  });
});

test("one with errors leaves the old one in force, and is followed once it is corrected", async () => {
  const place = await following((dir) => dir.write("facron.toml", rule(dir, "old")));
  const { dir, facron } = place;
  dir.write("facron.toml", "[[rule]\n");
  await facron.waitForLog(/^facron: error: Cannot reload: .*the old one stays in force$/m);
  await becomes(place, "old");
  dir.write("facron.toml", rule(dir, "new"));
  await becomes(place, "new");
  expect(readFileSync(dir.join("facron.toml"), "utf8")).toContain("new");
});
