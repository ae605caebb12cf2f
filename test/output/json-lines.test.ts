/** Lines, byte for byte: every field where it belongs, and none that says nothing. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { actorJson } from "../../src/output/actor-json.ts";
import { JsonLines } from "../../src/output/json-lines.ts";
import type { PathPrefix } from "../../src/output/json-text.ts";
import { escaped } from "../../src/output/json-text.ts";

const head = utf8('"rules":["import"],"events":["close_write"],"path":"');
/** 2026-11-20T18:46:20.123456Z */
const evening = 1_795_200_380_123_456;

function prefix(raw: string | Uint8Array): PathPrefix {
  const bytes = typeof raw === "string" ? utf8(raw) : raw;
  return { raw: bytes, ...escaped(bytes) };
}

interface Event {
  readonly in?: PathPrefix;
  readonly name?: Uint8Array;
  readonly isDirectory?: boolean;
  readonly pid?: number;
  readonly from?: PathPrefix;
  readonly synthetic?: "new-directory" | "appeared";
  readonly actor?: Uint8Array;
}

function add(lines: JsonLines, event: Event): number {
  const { in: directory = prefix("/srv/in/"), name = utf8("a.csv"), from = null } = event;
  const { isDirectory = false, pid = 0, synthetic = null } = event;
  const { length } = name;
  const { actor } = event;
  return lines.event(head, directory, name, 0, length, isDirectory, pid, from, synthetic, actor);
}

function linesAt(time: number, capacity = 4096): JsonLines {
  const lines = new JsonLines(capacity);
  lines.setTime(time);
  return lines;
}

function textOf(lines: JsonLines): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(lines.take());
}

function oneLine(event: Event, time = evening): string {
  const lines = linesAt(time);
  add(lines, event);
  return textOf(lines);
}

const start = '{"v":1,"seq":1,"time":"2026-11-20T18:46:20.123456Z","rules":["import"]';
const close = ',"events":["close_write"],"path":"/srv/in/a.csv"';

describe("JsonLines has", () => {
  test.each<[string, Event, string]>([
    ["no field that says nothing", {}, close],
    ["dir", { isDirectory: true }, `${close},"dir":true`],
    ["pid", { pid: 4234 }, `${close},"pid":4234`],
    ["the largest pid", { pid: 4_194_304 }, `${close},"pid":4194304`],
    ["from", { from: prefix("/srv/in/b") }, `${close},"from":"/srv/in/b"`],
    ["synthetic", { synthetic: "new-directory" }, `${close},"synthetic":"new-directory"`],
    ["synthetic of a root", { synthetic: "appeared" }, `${close},"synthetic":"appeared"`],
    [
      "who did it, behind the pid",
      { pid: 7, actor: actorJson({ comm: utf8("cp"), exe: utf8("/bin/cp"), uid: 0 }) },
      `${close},"pid":7,"comm":"cp","exe":"/bin/cp","uid":0`,
    ],
    [
      "who did it with names of any bytes",
      { pid: 7, actor: actorJson({ comm: Uint8Array.of(0x22, 0xff), exe: null, uid: null }) },
      `${close},"pid":7,"comm":"\\"\ufffd","comm_bytes":"Iv8="`,
    ],
    [
      "a program with the longest path that is escaped most",
      { actor: actorJson({ comm: null, exe: new Uint8Array(4096).fill(1), uid: 4_294_967_294 }) },
      `${close},"exe":"${"\\u0001".repeat(4096)}","uid":4294967294`,
    ],
    [
      "all of them in this order",
      {
        name: Uint8Array.of(0x61, 0xff),
        isDirectory: true,
        pid: 1,
        from: prefix("/b"),
        synthetic: "appeared",
      },
      ',"events":["close_write"],"path":"/srv/in/a\ufffd","from":"/b","dir":true,"pid":1' +
        ',"synthetic":"appeared","path_bytes":"L3Nydi9pbi9h/w=="',
    ],
    [
      "the path of the place itself where there is no name",
      { in: prefix("/srv/in"), name: utf8("") },
      ',"events":["close_write"],"path":"/srv/in"',
    ],
    [
      "escapes in the directory, the name and the old path",
      { in: prefix('/a"/'), name: utf8("\n"), from: prefix("/\\") },
      ',"events":["close_write"],"path":"/a\\"/\\n","from":"/\\\\"',
    ],
  ])("%s", (_, event, rest) => {
    expect(oneLine(event)).toBe(`${start}${rest}}\n`);
  });
});

describe("JsonLines.setTime", () => {
  test.each([
    ["1970-01-01T00:00:00.000000Z", 0],
    ["1970-01-01T00:00:00.000001Z", 1],
    ["1970-01-01T00:00:01.000000Z", 1e6],
    ["2026-11-20T18:46:20.000009Z", 1_795_200_380_000_009],
    ["2026-11-20T18:46:20.999999Z", 1_795_200_380_999_999],
    ["2255-06-05T23:47:34.740991Z", 9_007_199_254_740_991],
  ])("gives %s", (text, microseconds) => {
    expect(JSON.parse(oneLine({}, microseconds)).time).toBe(text);
  });

  test("holds for the lines that follow, until it is called again", () => {
    const lines = linesAt(0);
    add(lines, {});
    add(lines, {});
    lines.setTime(1e6);
    add(lines, {});
    const times = textOf(lines)
      .split("\n")
      .flatMap((line) => (line === "" ? [] : [JSON.parse(line).time.slice(17, 19)]));
    expect(times).toEqual(["00", "00", "01"]);
  });
});

describe("path_bytes", () => {
  const decoded = (event: Event): number[] => [
    ...Buffer.from(JSON.parse(oneLine(event)).path_bytes, "base64"),
  ];

  test("is the raw path if the name is not UTF-8", () => {
    const bytes = Uint8Array.from({ length: 255 }, (_, i) => (i === 0x2f ? 1 : i + 1));
    expect(decoded({ name: bytes })).toEqual([...utf8("/srv/in/"), ...bytes]);
  });

  test("is the raw path if only the directory is not UTF-8", () => {
    const raw = Uint8Array.of(0x2f, 0xe9, 0x2f);
    expect(decoded({ in: prefix(raw), name: utf8("é") })).toEqual([...raw, ...utf8("é")]);
  });

  test("is not there for a name with a real U+FFFD", () => {
    expect(JSON.parse(oneLine({ name: utf8("\ufffd") }))).not.toHaveProperty("path_bytes");
  });

  test("of one line does not stick to the next", () => {
    const lines = linesAt(evening);
    add(lines, { name: Uint8Array.of(0xff) });
    add(lines, {});
    expect(textOf(lines).split("\n")[1]).not.toContain("path_bytes");
  });

  test("has from_bytes beside it for an old path that is not UTF-8, and only then", () => {
    const old = prefix(Uint8Array.of(0x2f, 0xff, 0x61));
    const { from, from_bytes, ...others } = JSON.parse(oneLine({ from: old }));
    expect({ from, from_bytes }).toEqual({ from: "/\ufffda", from_bytes: btoa("/\xffa") });
    expect(others).not.toHaveProperty("path_bytes");
    expect(oneLine({ name: Uint8Array.of(0xff), from: prefix("/\ufffd") })).not.toContain(
      "from_bytes",
    );
  });

  test("takes only the name's range of the read buffer", () => {
    const lines = linesAt(evening);
    const buffer = Uint8Array.of(0x78, 0xff, 0x61, 0x78);
    lines.event(head, prefix("/d/"), buffer, 1, 3, false, 0);
    expect(JSON.parse(textOf(lines)).path_bytes).toBe(btoa("/d/\xffa"));
  });
});

describe("JsonLines.loss", () => {
  test("has no path and no rules", () => {
    const lines = linesAt(evening);
    expect(lines.loss(utf8('"events":["q_overflow"]'))).toBe(1);
    expect(textOf(lines)).toBe(
      '{"v":1,"seq":1,"time":"2026-11-20T18:46:20.123456Z","events":["q_overflow"],"lost":true}\n',
    );
  });
});

describe("JsonLines counts", () => {
  test("lines from 1 on, losses too, over what was taken out", () => {
    const lines = linesAt(evening);
    expect([add(lines, {}), lines.loss(head), add(lines, {})]).toEqual([1, 2, 3]);
    expect(lines.lines).toBe(3);
    lines.take();
    expect(lines.lines).toBe(0);
    expect(lines.byteLength).toBe(0);
    expect(add(lines, {})).toBe(4);
    expect(lines.seq).toBe(4);
  });
});

describe("JsonLines grows", () => {
  test("from nothing, without changing what is in it", () => {
    const lines = linesAt(evening, 0);
    for (let i = 0; i < 1000; i++) add(lines, { name: utf8(`file ${i}`) });
    const all = textOf(lines)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
    expect(all.at(-1).path).toBe("/srv/in/file 999");
  });

  test.each([0, 100, 255, 256, 300, 700, 1024])("with %d bytes to start with", (capacity) => {
    const long = Uint8Array.from({ length: 255 }, (_, i) => [0x01, 0xff][i & 1]!);
    const directory = prefix(utf8(`/${"\x01".repeat(4000)}/`));
    const lines = linesAt(evening, capacity);
    add(lines, { in: directory, name: long, from: directory, pid: 1, isDirectory: true });
    const { path_bytes, from } = JSON.parse(textOf(lines));
    expect(Buffer.from(path_bytes, "base64").length).toBe(4002 + 255);
    expect(from).toBe(`/${"\x01".repeat(4000)}/`);
  });

  test("at every place in the buffer", () => {
    for (let capacity = 0; capacity < 2048; capacity += 7) {
      const lines = linesAt(evening, capacity);
      for (let i = 0; i < 4; i++) add(lines, { name: Uint8Array.of(0xff, 0x01, i + 1) });
      for (const line of textOf(lines).trimEnd().split("\n")) JSON.parse(line);
    }
  });
});
