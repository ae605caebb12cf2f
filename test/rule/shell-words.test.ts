import { describe, expect, test } from "bun:test";
import { fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import { shellWords } from "../../src/rule/shell-words.ts";
import { requires } from "../helpers/requires.ts";

describe("shellWords", () => {
  test.each([
    ["/usr/bin/import", "/usr/bin/import"],
    ["--mode=0644", "--mode=0644"],
    ["a b.csv", "'a b.csv'"],
    ["", "''"],
    ["it's", `'it'\\''s'`],
    ["$(touch x)", "'$(touch x)'"],
    ["~", "'~'"],
    ["#", "'#'"],
    ["a=b", "'a=b'"], // as the first word it would set a variable
    ["caf\u00e9", "'caf\u00e9'"],
    ["a\nb\t'\\", "$'a\\nb\\t\\'\\\\'"],
    ["\u202e", "$'\\xe2\\x80\\xae'"], // it would turn the line around
    ["\x1b[31m", "$'\\x1b[31m'"],
  ])("%j", (word, quoted) => {
    expect(shellWords([utf8(word)])).toBe(quoted);
  });

  test("writes what is not UTF-8 as its bytes, and what follows is not taken for a digit", () => {
    expect(shellWords([fromLatin1("\xffab"), utf8("x")])).toBe("$'\\xffab' x");
  });

  requires({ tools: ["bash"] })("bash reads back every byte beside every kind of byte", () => {
    const beside = ["", "a", "0", "'", "\\", " ", "\xff", "\n", "$", "!", "\u00c3\u00a9"];
    const words = [];
    for (let byte = 1; byte < 256; byte++) {
      const char = String.fromCharCode(byte);
      for (const other of beside) words.push(`${char}${other}`, `${other}${char}`);
    }
    const text = shellWords(words.map(fromLatin1));
    const { stdout } = Bun.spawnSync(["bash", "-c", `printf '%s\\0' ${text}`]);
    expect(latin1(stdout).split("\0").slice(0, -1)).toEqual(words);
  });
});
