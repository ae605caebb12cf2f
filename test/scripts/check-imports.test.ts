/** The import check on small bad trees: each violation is one line with file, import and rule. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { checkImports } from "../../scripts/check-imports.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** Every room with a file that imports nothing, and then `files`. */
const rooms = [
  "cli",
  "daemon",
  "reader",
  "watch",
  "config",
  "action",
  "journal",
  "gate",
  "family",
  "output",
  "rule",
];
const ownFile = "export const own = 1;\n";

function faultsIn(files: Readonly<Record<string, string>>): string[] {
  using dir = tempDir();
  const base = ["main", "event", "errors", "log", ...rooms.map((room) => `${room}/a`)];
  for (const name of base) dir.write(`src/${name}.ts`, ownFile);
  for (const name of ["bytes", "fd", "libc"]) dir.write(`ffi/${name}.ts`, ownFile);
  for (const name of ["rule", "template"]) dir.write(`src/rule/${name}.ts`, ownFile);
  dir.write("src/reader/trigger.ts", ownFile);
  for (const [path, content] of Object.entries(files)) dir.write(path, content);
  return checkImports(dir.path);
}

function importing(...specifiers: readonly string[]): string {
  return specifiers.map((specifier) => `import { own } from "${specifier}";\n`).join("") + ownFile;
}

describe("check-imports accepts", () => {
  test("the arrows, as far as they lead", () => {
    const faults = faultsIn({
      "src/main.ts": importing("./cli/a.ts", "./daemon/a.ts", "./rule/a.ts"),
      "src/cli/a.ts": importing("../daemon/a.ts", "../config/a.ts"),
      "src/daemon/a.ts": importing("../config/a.ts", "../action/a.ts", "../gate/a.ts"),
      "src/reader/a.ts": importing("../watch/a.ts", "../rule/a.ts", "../output/a.ts"),
      "src/config/a.ts": importing("../rule/a.ts", "./b.ts"),
      "src/config/b.ts": importing("zod", "node:fs"),
      "src/action/a.ts": importing(
        "../rule/template.ts",
        "../rule/rule.ts",
        "../reader/trigger.ts",
      ),
    });
    expect(faults).toEqual([]);
  });

  test("words and byte helpers everywhere", () => {
    const all = importing("../event.ts", "../errors.ts", "../log.ts", "../../ffi/bytes.ts");
    const files = Object.fromEntries(rooms.map((room) => [`src/${room}/a.ts`, all]));
    expect(faultsIn(files)).toEqual([]);
  });

  test("calls of ffi/ where they belong", () => {
    const calling = importing("../../ffi/fd.ts");
    const callers = [
      "watch/a",
      "reader/a",
      "output/writer",
      "action/a",
      "gate/a",
      "family/a",
      "daemon/a",
      "cli/a",
    ];
    const files = Object.fromEntries(callers.map((name) => [`src/${name}.ts`, calling]));
    expect(faultsIn({ ...files, "ffi/libc.ts": importing("bun:ffi") })).toEqual([]);
  });
});

describe("check-imports refuses", () => {
  test.each([
    ["src/rule/a.ts", "../config/a.ts", "src/rule/ imports only itself"],
    ["src/config/a.ts", "../daemon/a.ts", "src/config/ imports only itself, src/rule/"],
    ["src/output/a.ts", "../reader/a.ts", "src/output/ imports only itself"],
    ["src/daemon/a.ts", "../main.ts", "src/daemon/ imports only itself, src/config/"],
    ["src/gate/a.ts", "../action/a.ts", "src/gate/ imports only itself"],
    ["src/family/a.ts", "../reader/a.ts", "src/family/ imports only itself"],
    ["src/log.ts", "./rule/a.ts", "words imports only itself"],
  ])("%s importing %s, against the arrows", (file, specifier, rule) => {
    const [fault, ...others] = faultsIn({ [file]: importing(specifier) });
    expect(fault).toStartWith(`${file}: imports ${specifier}: ${rule}`);
    expect(others).toEqual([]);
  });

  test("a file of a room whose other file is allowed", () => {
    expect(faultsIn({ "src/watch/a.ts": importing("../output/a.ts") })).toEqual([
      "src/watch/a.ts: imports ../output/a.ts: src/watch/ imports only itself, src/rule/, src/output/json-text.ts",
    ]);
  });

  test.each(["src/config/a.ts", "src/rule/a.ts", "src/output/a.ts"])(
    "calls of ffi/ in %s",
    (file) => {
      const [fault, ...others] = faultsIn({ [file]: importing("../../ffi/fd.ts") });
      expect(fault).toStartWith(`${file}: imports ../../ffi/fd.ts: only src/watch/, `);
      expect(fault).toEndWith(" import ffi/ calls");
      expect(others).toEqual([]);
    },
  );

  test("ffi/ that knows us, and bun:ffi in a second place", () => {
    expect(
      faultsIn({
        "ffi/fd.ts": importing("bun:ffi"),
        "ffi/inotify/calls.ts": importing("../../src/event.ts"),
        "src/watch/a.ts": importing("bun:ffi"),
      }),
    ).toEqual([
      "ffi/fd.ts: imports bun:ffi: only ffi/libc.ts imports bun:ffi",
      "ffi/inotify/calls.ts: imports ../../src/event.ts: ffi/ imports itself only",
      "src/watch/a.ts: imports bun:ffi: only ffi/libc.ts imports bun:ffi",
    ]);
  });

  test("types, several lines, comments inside, exports from, side effects and import() alike", () => {
    const up = "../daemon/a.ts";
    const forms = [
      `import type { own } from "${up}";`,
      `import {\n  own, // it isn't ours\n  other,\n} from "${up}";`,
      `export { own } from "${up}";\n${ownFile}`,
      `export * from "${up}";\n${ownFile}`,
      `import "${up}";`,
      `const late = await import("${up}");`,
      `import own from "${up}" with { type: "json" };`,
    ];
    for (const form of forms) {
      const [fault] = faultsIn({ "src/rule/a.ts": `${form}\n${ownFile}` });
      expect(fault).toStartWith(`src/rule/a.ts: imports ${up}: `);
    }
  });

  test("circles of files, also through types", () => {
    expect(
      faultsIn({
        "src/rule/a.ts": importing("./b.ts"),
        "src/rule/b.ts": importing("./c.ts"),
        "src/rule/c.ts": `import type { own } from "./a.ts";\n${ownFile}`,
      }),
    ).toEqual([
      "src/rule/a.ts -> src/rule/b.ts -> src/rule/c.ts -> src/rule/a.ts: files import each other in a circle",
    ]);
  });

  test("barrel files", () => {
    const barrel = `/** All of it. */\nexport * from "./rule.ts";\nexport { own } from "./template.ts";\n`;
    const dressed = `import { own } from "./rule.ts";\n\nexport { own };\n`;
    expect(faultsIn({ "src/rule/index.ts": barrel, "src/rule/all.ts": dressed })).toEqual([
      "src/rule/all.ts: only re-exports: no barrel files",
      "src/rule/index.ts: only re-exports: no barrel files",
    ]);
  });

  test("files that are not there and files in no room", () => {
    expect(faultsIn({ "src/rule/a.ts": importing("./rule"), "src/other/a.ts": ownFile })).toEqual([
      "src/other/a.ts: is in no room that scripts/check-imports.ts knows",
      "src/rule/a.ts: imports ./rule: no such file (is .ts missing?)",
    ]);
  });

  test("imports of scripts and tests", () => {
    const files = {
      "scripts/build.ts": ownFile,
      "src/daemon/a.ts": importing("../../scripts/build.ts"),
    };
    expect(faultsIn(files)).toEqual([
      expect.stringContaining(
        "src/daemon/a.ts: imports ../../scripts/build.ts: src/daemon/ imports only",
      ),
    ]);
  });
});

describe("check-imports as a command", () => {
  const script = join(import.meta.dir, "../../scripts/check-imports.ts");

  function run(root: string) {
    const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, script, root]);
    return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  test("says nothing and exits 0 on a good tree, 1 on a bad one", () => {
    using dir = tempDir();
    dir.write("src/event.ts", ownFile);
    expect(run(dir.path)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    dir.write("src/errors.ts", importing("./none.ts"));
    expect(run(dir.path)).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "src/errors.ts: imports ./none.ts: no such file (is .ts missing?)\n",
    });
  });
});
