import { describe, expect, test } from "bun:test";
import { fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import {
  type Command,
  Counters,
  type Failure,
  fillCommand,
  takesPaths,
  type ValueName,
  type Word,
} from "../../src/rule/template.ts";

const literal = (text: string): Word => [{ literal: utf8(text) }];
const value = (name: ValueName): Word => [{ value: name }];

interface Fill {
  readonly path?: Uint8Array;
  readonly pid?: number;
  readonly counters?: Counters;
  readonly paths?: readonly Uint8Array[];
  readonly failure?: Failure;
}

/** The filled words, one char for one byte. */
function fill(words: Word[], fillWith: Fill = {}): string[] {
  const { path = utf8("/srv/in/a.csv"), pid = 4234, counters = new Counters(), paths } = fillWith;
  const command: Command = { words };
  const filling = {
    path,
    from: utf8(""),
    events: 8,
    pid,
    seq: 1,
    isSelf: false,
    isDirectory: false,
    ...(fillWith.failure === undefined ? {} : { failure: fillWith.failure }),
  };
  return fillCommand(command, filling, { rule: "import", counters }, paths).map(latin1);
}

describe("fillCommand", () => {
  test("gives path, dir, name and pid", () => {
    const words = [literal("/bin/x"), value("path"), value("dir"), value("name"), value("pid")];
    expect(fill(words)).toEqual(["/bin/x", "/srv/in/a.csv", "/srv/in", "a.csv", "4234"]);
  });

  test("says 0 for a pid that is not known", () => {
    expect(fill([value("pid")], { pid: 0 })).toEqual(["0"]);
  });

  test("fills word 0 too", () => {
    expect(fill([value("path"), literal("-v")])).toEqual(["/srv/in/a.csv", "-v"]);
  });

  test("joins the parts of one word", () => {
    const word: Word = [
      { literal: utf8("<") },
      { value: "dir" },
      { literal: utf8("|") },
      { value: "name" },
      { literal: utf8(">") },
    ];
    expect(fill([word])).toEqual(["</srv/in|a.csv>"]);
  });

  test("gives each of the paths a word of its own, byte for byte", () => {
    const paths = [utf8("/a b"), fromLatin1("/\xff\n"), utf8("{path}")];
    const words = [literal("/bin/x"), value("paths"), literal("--"), value("paths")];
    expect(fill(words, { paths })).toEqual([
      ...["/bin/x", "/a b", "/\xff\n", "{path}"],
      ...["--", "/a b", "/\xff\n", "{path}"],
    ]);
    expect(fill(words, { paths: [] })).toEqual(["/bin/x", "--"]);
  });

  test("takes the one path for paths where no others are given", () => {
    expect(fill([literal("/bin/x"), value("paths")])).toEqual(["/bin/x", "/srv/in/a.csv"]);
  });

  test("says what went wrong, and nothing if nothing did", () => {
    const failure = { error: "exited 3 after 2 ms", attempts: 4 };
    expect(fill([value("error")], { failure })).toEqual(["exited 3 after 2 ms"]);
    expect(fill([value("error")])).toEqual([""]);
  });

  test("keeps an empty word", () => {
    expect(fill([literal("/bin/x"), literal(""), []])).toEqual(["/bin/x", "", ""]);
  });

  const paths: [path: string, dir: string, name: string][] = [
    ["/srv/in/a.csv", "/srv/in", "a.csv"],
    ["/x", "/", "x"],
    ["/", "/", ""],
    ["x", ".", "x"],
    ["a/b", "a", "b"],
  ];
  test.each(paths)("dir and name of %p are %p and %p", (path, dir, name) => {
    expect(fill([value("dir"), value("name")], { path: utf8(path) })).toEqual([dir, name]);
  });

  const names = [
    "two words",
    `it's "quoted"`,
    "line\nbreak",
    "$(touch pwned)",
    "`id`;*",
    "$$",
    "é\u{1f600}",
  ];
  test.each(names)("leaves %p as it is: one word, no shell", (name) => {
    const filled = fill([value("path"), value("name")], { path: utf8(`/srv/${name}`) });
    expect(filled).toEqual([`/srv/${name}`, name].map((text) => latin1(utf8(text))));
  });

  test("keeps bytes that are not UTF-8", () => {
    const path = fromLatin1("/d\xfe/\xff\x01\x80");
    const words = [value("path"), value("dir"), value("name")];
    expect(fill(words, { path })).toEqual(["/d\xfe/\xff\x01\x80", "/d\xfe", "\xff\x01\x80"]);
  });

  test("does not change the template", () => {
    const words = [literal("a"), [{ literal: utf8("b") }, { value: "name" } as const]];
    fill(words);
    expect(fill(words)).toEqual(["a", "ba.csv"]);
  });
});

describe("Counters", () => {
  test("$+ $= $- are evaluated from left to right, and outlive a command", () => {
    const counters = new Counters();
    const words = [
      value("counter_up"),
      value("counter_up"),
      value("counter"),
      value("counter_down"),
    ];
    expect(fill(words, { counters })).toEqual(["1", "2", "2", "1"]);
    expect(fill(words, { counters })).toEqual(["2", "3", "3", "2"]);
  });

  test("$- wraps to 4294967295 and $+ wraps to 0, as facron 1.1 has it", () => {
    const words = [value("counter"), value("counter_down"), value("counter"), value("counter_up")];
    expect(fill(words)).toEqual(["0", "4294967295", "4294967295", "0"]);
  });

  test("two values in one word count one after the other", () => {
    expect(
      fill([[{ value: "counter_up" }, { literal: utf8("-") }, { value: "counter_up" }]]),
    ).toEqual(["1-2"]);
  });
});

test("takesPaths is about a word of its own", () => {
  expect(takesPaths({ words: [literal("/bin/x"), value("paths")] })).toBe(true);
  expect(takesPaths({ words: [literal("/bin/x"), value("path"), []] })).toBe(false);
});
