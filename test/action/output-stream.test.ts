/** What a command writes, divided into lines of the log: bytes by hand, and time by hand. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { OutputStream } from "../../src/action/output-stream.ts";

/** A stream and what it has said: warnings begin with "!". */
function stream() {
  const said: string[] = [];
  const output = new OutputStream("x", ({ level, text }) => {
    said.push(`${level === "warn" ? "! " : ""}${text}`);
  });
  const take = (text: string | Uint8Array, now = 0) =>
    output.take(typeof text === "string" ? utf8(text) : text, now);
  return { output, said, take };
}

const thrownAway = (bytes: number) =>
  `! x: ${bytes} bytes of its output were thrown away: more than 1000 lines or 256 KiB in 10 s; output = "/a/file" keeps all`;

describe("OutputStream", () => {
  test("says each line, however the bytes come", () => {
    const { said, take } = stream();
    for (const piece of ["one\ntw", "o", "\n", "\nthree\n"]) take(piece);
    expect(said).toEqual(["x: one", "x: two", "x: ", "x: three"]);
  });

  test("escapes what would forge a line or drive a terminal, and shows what is not UTF-8", () => {
    const { said, take } = stream();
    take('a\x1b[31m\tb\u2028c "q" \\\r\n');
    take(Uint8Array.of(0x61, 0xff, 0x0a));
    expect(said).toEqual(['x: a\\x1b[31m\\tb\\u{2028}c "q" \\\\r', "x: a\ufffd"]);
  });

  test("says the last line without its newline at the end, or after a second", () => {
    const { output, said, take } = stream();
    take("prompt> ", 100);
    expect(output.dueAt).toBe(1100);
    output.tick(1099);
    expect(said).toEqual([]);
    output.tick(1100);
    expect(said).toEqual(["x: prompt> "]);
    expect(output.dueAt).toBe(Infinity);
    take("last", 1200);
    output.end();
    expect(said).toEqual(["x: prompt> ", "x: last"]);
  });

  test("cuts a line at 8 KiB, between characters, says so and goes on with the next", () => {
    const { said, take } = stream();
    take(`${"é".repeat(4095)}a`);
    take("é and more");
    take("\nnext\n");
    expect(said).toEqual([`x: ${"é".repeat(4095)}a [line cut at 8 KiB]`, "x: next"]);
  });

  test("does not cut a line of exactly 8 KiB", () => {
    const { said, take } = stream();
    take(`${"a".repeat(8192)}\nb\n`);
    expect(said).toEqual([`x: ${"a".repeat(8192)}`, "x: b"]);
  });

  test("throws away what is more than 1,000 lines, and says once how much", () => {
    const { output, said, take } = stream();
    take("0123\n".repeat(1500));
    take("0123\n".repeat(500), 9_999);
    expect(said.length).toBe(1000);
    expect(output.dueAt).toBe(10_000);
    output.tick(10_000);
    expect(said.slice(1000)).toEqual([thrownAway(5000)]);
    take("again\n", 10_000);
    expect(said.at(-1)).toBe("x: again");
    output.end();
    expect(said.length).toBe(1002);
  });

  test("throws away what is more than 256 KiB", () => {
    const { output, said, take } = stream();
    const line = `${"a".repeat(4095)}\n`;
    take(line.repeat(65));
    output.end();
    expect(said.length).toBe(65);
    expect(said.at(-1)).toBe(thrownAway(4096));
  });

  test("begins with a whole line again after some was thrown away", () => {
    const { said, take } = stream();
    take("\n".repeat(1000));
    take("thrown aw", 1);
    take("ay, its end\nwhole\n", 10_001);
    expect(said.slice(1000)).toEqual([thrownAway(9), "x: whole"]);
  });
});
