import { expect, test } from "bun:test";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { formatProblem } from "../../src/errors.ts";
import { Places, problemOfFile } from "../../src/config/span.ts";
import { bytesOf } from "./readable.ts";

/** The problem at the first place where `needle` stands in `text`. */
function problemAt(text: string | Uint8Array, needle: string, length = utf8(needle).length) {
  const bytes = bytesOf(text);
  const from = latin1(bytes).indexOf(latin1(utf8(needle)));
  return new Places({ file: "f", bytes }).problem({ from, length }, "m");
}

test("Places counts lines and columns from 1", () => {
  expect(problemAt("abc", "abc")).toEqual({
    file: "f",
    line: 1,
    column: 1,
    length: 3,
    text: "abc",
    message: "m",
  });
  expect(problemAt("a\n\nxy z\nb", "z")).toMatchObject({ line: 3, column: 4, text: "xy z" });
});

test("Places counts characters, neither bytes nor UTF-16 units", () => {
  expect(problemAt("é日😀 bad", "bad")).toMatchObject({ column: 5, length: 3 });
  expect(problemAt("x é😀é", "é😀é")).toMatchObject({ column: 3, length: 3 });
});

test("Places shows each byte that is not UTF-8 as one character", () => {
  const bytes = Uint8Array.of(0xff, 0xe9, 0x20, 0x78);
  expect(problemAt(bytes, "x")).toMatchObject({ column: 4, text: "\ufffd\ufffd x" });
});

test("Places keeps tabs and makes control characters visible, one for one", () => {
  const problem = problemAt("\t\x1b[31m\x07\x7f\u009b\u202e\u2028x", "x");
  expect(problem.text).toBe("\t␛[31m␇␡\ufffd\ufffd\ufffdx");
  expect(problem.column).toBe([...problem.text].length);
});

test("Places puts the caret under its place after tabs and control characters", () => {
  expect(formatProblem(problemAt("a\t\x1b bad", "bad"))).toBe("f:1:5: m\n  a\t␛ bad\n   \t  ^^^");
});

test("Places leaves out a byte order mark and the carriage return before a newline", () => {
  const bytes = Uint8Array.of(0xef, 0xbb, 0xbf, ...utf8("ab\r\ncd\r\n"));
  expect(problemAt(bytes, "b")).toMatchObject({ line: 1, column: 2, text: "ab" });
  expect(problemAt(bytes, "d")).toMatchObject({ line: 2, column: 2, text: "cd" });
});

test("Places cuts a span at the end of its line, and never to nothing", () => {
  expect(problemAt("ab\ncd", "b", 100)).toMatchObject({ line: 1, column: 2, length: 1 });
  expect(problemAt("ab\ncd", "\n", 1)).toMatchObject({ line: 1, column: 3, length: 1 });
  const end = new Places({ file: "f", bytes: utf8("ab") }).problem({ from: 99, length: 5 }, "m");
  expect(end).toMatchObject({ line: 1, column: 3, length: 1 });
});

test("Places finds an earlier line after a later one", () => {
  const places = new Places({ file: "f", bytes: utf8("a\nb\nc\n") });
  const lines = [4, 0, 2, 4].map((from) => places.problem({ from, length: 1 }, "m"));
  expect(lines.map(({ line, text }) => `${line}${text}`)).toEqual(["3c", "1a", "2b", "3c"]);
});

test("problemOfFile is printed without a place: its message names the file", () => {
  const problem = problemOfFile("/etc/f", 'Cannot read "/etc/f"');
  expect(formatProblem(problem)).toBe('Cannot read "/etc/f"');
});
