/** The ring of constants: every number in ffi/ is what the system's headers say. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compareWithC } from "../../scripts/abi-probe.ts";
import { requires } from "../helpers/requires.ts";

const ffi = join(import.meta.dir, "../../ffi");
const compilerTest = requires({ tools: ["cc"] });

compilerTest("every constant, size and offset that ffi/ exports is confirmed by C", async () => {
  const { confirmed, unconfirmed, faults } = await compareWithC();
  for (const line of unconfirmed) console.error(`not confirmed: ${line}`);
  expect(faults).toEqual([]);
  expect(confirmed).toBeGreaterThan(150);
});

compilerTest("no constant of ffi/ hides from the comparison by not being exported", () => {
  const files = [...new Bun.Glob("**/*.ts").scanSync({ cwd: ffi })];
  const hidden = files.flatMap((file) =>
    hiddenConstants(file, readFileSync(join(ffi, file), "utf8")),
  );
  expect(hidden).toEqual([]);
});

/** Kernel names are in capitals, ours are not. */
function hiddenConstants(file: string, source: string): string[] {
  const constants = source.matchAll(/^ *const ([A-Z][A-Z0-9_]*) = -?\d/gm);
  return [...constants].map(([, name]) => `ffi/${file} ${name}`);
}
