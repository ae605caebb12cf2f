/** The build on a small program with a thread: what the compiled file needs and what makes it stale. */
import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, readdirSync, statSync, utimesSync } from "node:fs";
import { build } from "../../scripts/build.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";

const main = `
declare const FACRON_VERSION: string;
const thread = new Worker(new URL("./reader/worker.ts", import.meta.url));
thread.onmessage = ({ data }) => {
  console.log(data, FACRON_VERSION, process.env["LEAKED"] ?? "no .env");
  thread.terminate();
};
thread.onerror = ({ message }) => console.log("thread failed:", message);
`;

/** A repository as small as can be. */
function smallTree(): TempDir {
  const dir = tempDir({ on: "disk" });
  dir.write("package.json", `{ "type": "module", "version": "9.8.7" }`);
  dir.write("src/main.ts", main);
  dir.write(
    "src/reader/worker.ts",
    `import { word } from "../deep/word.ts";\npostMessage(word);\n`,
  );
  dir.write("src/deep/word.ts", `export const word = "from the thread";\n`);
  return dir;
}

describe("build", () => {
  test("makes one file that runs its threads from anywhere and reads no .env there", () => {
    using dir = smallTree();
    expect(build({ root: dir.path })).toMatch(/dist\/facron: [\d.]+ MiB in [\d.]+ s$/);
    const elsewhere = dir.mkdir("elsewhere");
    dir.write("elsewhere/.env", "LEAKED=yes\n");
    dir.write("elsewhere/reader/worker.ts", `postMessage("from the wrong thread");\n`);
    copyFileSync(dir.join("dist/facron"), `${elsewhere}/renamed`);
    Bun.spawnSync(["rm", "-r", dir.join("src"), dir.join("dist")]);
    const { stdout } = Bun.spawnSync(["./renamed"], { cwd: elsewhere, env: {} });
    expect(stdout.toString()).toBe("from the thread 9.8.7 no .env\n");
  });

  test("does nothing when the inputs are those of the file that is there", () => {
    using dir = smallTree();
    build({ root: dir.path });
    const { ino } = statSync(dir.join("dist/facron"));
    expect(build({ root: dir.path })).toEndWith("dist/facron: up to date");
    expect(statSync(dir.join("dist/facron")).ino).toBe(ino);
    expect(readdirSync(dir.join("dist")).sort()).toEqual([".facron.stamp", "facron"]);
  });

  test("builds anew when anything changed, whatever its time says", () => {
    using dir = smallTree();
    build({ root: dir.path });
    const changes = [
      () => utimesSync(dir.write("src/deep/word.ts", `export const word = "new";\n`), 0, 0),
      () => dir.write("src/deep/another.ts"),
      () => dir.write("ffi/inotify/calls.ts"),
      () => dir.write("package.json", `{ "version": "9.8.8" }`),
      () => Bun.spawnSync(["rm", dir.join("ffi/inotify/calls.ts")]),
      () => Bun.spawnSync(["rm", dir.join("dist/facron")]),
      () => copyFileSync("/bin/true", dir.join("dist/facron")),
    ];
    for (const change of changes) {
      change();
      expect(build({ root: dir.path })).toContain("MiB");
    }
  }, 60_000);

  test("replaces a file that is running", () => {
    using dir = smallTree();
    dir.write("src/main.ts", "setInterval(() => {}, 1000);\n");
    build({ root: dir.path });
    const running = Bun.spawn([dir.join("dist/facron")]);
    dir.write("src/main.ts", "setInterval(() => {}, 2000);\n");
    expect(build({ root: dir.path })).toContain("MiB");
    running.kill();
  });

  test("throws the bundler's words, and leaves nothing behind", () => {
    using dir = smallTree();
    dir.write("src/main.ts", `import "./nowhere.ts";\n`);
    expect(() => build({ root: dir.path })).toThrow(/Cannot build .*dist\/facron:[^]*nowhere/);
    expect(readdirSync(dir.join("dist"))).toEqual([]);
    expect(existsSync(dir.join("dist/facron"))).toBe(false);
  });
});
