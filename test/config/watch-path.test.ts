import { expect, test } from "bun:test";
import { latin1 } from "../../ffi/bytes.ts";
import { absolutePath } from "../../src/config/watch-path.ts";

test.each([
  ["/", "/cwd", "/"],
  ["//", "/cwd", "/"],
  ["/a//b/./c/", "/cwd", "/a/b/c"],
  ["a", "/cwd", "/cwd/a"],
  ["./a/.", "/cwd/", "/cwd/a"],
  [".", "/cwd", "/cwd"],
  ["a", "/", "/a"],
  [".", "/", "/"],
  ["../a/..", "/cwd", "/cwd/../a/.."],
  ["/..", "/cwd", "/.."],
  ["...", "/cwd", "/cwd/..."],
  ["\xff/\xe9", "/\xfe", "/\xfe/\xff/\xe9"],
])("absolutePath(%j) in %j is %j, byte for byte", (path, cwd, absolute) => {
  expect(latin1(absolutePath(path, cwd))).toBe(absolute);
});
