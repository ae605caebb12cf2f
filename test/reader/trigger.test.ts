/** Triggers cross the threads as bytes: what is put in comes out. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { packActor } from "../../src/reader/packed-actor.ts";
import { noFamily } from "../../src/family/family.ts";
import {
  type Trigger,
  TriggerCursor,
  TriggerReader,
  TriggerWriter,
} from "../../src/reader/trigger.ts";
import { viewDirectory, viewSelf } from "../../src/rule/view.ts";
import { randomBytes, seededRandom } from "../contract/random.ts";

const nothing = new Uint8Array(0);
const bytes255 = Uint8Array.from({ length: 255 }, (_, i) => i + 1);
const lone = { comm: null, exe: null, uid: 2 ** 32 - 2 };

function put(writer: TriggerWriter, trigger: Trigger): void {
  const { rule, events, isSelf, isDirectory, pid, seq, path, from, actor } = trigger;
  const { time, synthetic, family } = trigger;
  const view = (isSelf ? viewSelf : 0) | (isDirectory ? viewDirectory : 0);
  const old = from.length === 0 ? null : from;
  const packed = actor === null ? null : packActor(actor);
  writer.time = time;
  const kind = events | view;
  writer.add(rule, kind, pid, seq, path, nothing, 0, 0, old, packed, synthetic, family);
}

function takeAll(buffer: ArrayBuffer): Trigger[] {
  const reader = new TriggerReader(buffer);
  const all: Trigger[] = [];
  for (let one = reader.take(); one !== null; one = reader.take()) all.push(one);
  return all;
}

function trigger(some: Partial<Trigger>): Trigger {
  const flags = { isSelf: false, isDirectory: false };
  const origin = { time: 0, synthetic: null, family: noFamily, ticket: 0 };
  const empty = { path: nothing, from: nothing, actor: null, ...origin };
  return { rule: 0, events: 8, ...flags, pid: 1, seq: 1, ...empty, ...some };
}

/** Paths as plain lists: a view compares equal to a copy. */
function plain(triggers: readonly Trigger[]): unknown {
  return triggers.map(({ path, from, actor, ...rest }) => {
    const [comm, exe] = [actor?.comm, actor?.exe].map((bytes) => bytes && [...bytes]);
    return { ...rest, path: [...path], from: [...from], uid: actor?.uid, comm, exe };
  });
}

describe("TriggerReader takes out", () => {
  test.each<[string, Partial<Trigger>]>([
    ["a path with every byte", { path: bytes255 }],
    ["an empty path", {}],
    ["a rename's old path", { path: Uint8Array.of(0x2f, 0xff), from: Uint8Array.of(0x2f, 0xfe) }],
    ["the largest rule, pid and events", { rule: 2 ** 31 - 1, pid: 2 ** 22, events: 0xffff }],
    ["what happened to the watched path itself", { isSelf: true }],
    ["what happened to a directory", { isDirectory: true }],
    ["no pid", { pid: 0 }],
    ["who did it", { actor: { comm: utf8("cp"), exe: utf8("/usr/bin/cp"), uid: 0 } }],
    ["names that are not UTF-8", { actor: { comm: bytes255, exe: Uint8Array.of(0xff), uid: 7 } }],
    ["the largest uid, and a rename", { actor: lone, path: bytes255, from: bytes255 }],
    ["an actor of which nothing is known", { actor: { comm: null, exe: null, uid: null } }],
    ["seq 0", { seq: 0 }],
    ["seq 2^31", { seq: 2 ** 31 }],
    ["seq 2^32 - 1", { seq: 2 ** 32 - 1 }],
    ["seq 2^32", { seq: 2 ** 32 }],
    ["seq 2^32 + 2^31 + 1", { seq: 2 ** 32 + 2 ** 31 + 1 }],
    ["the largest seq that a number can count", { seq: Number.MAX_SAFE_INTEGER }],
  ])("%s", (_, some) => {
    const writer = new TriggerWriter();
    put(writer, trigger(some));
    expect(plain(takeAll(writer.take()))).toEqual(plain([trigger(some)]));
  });

  test("paths of every length, each beside the next", () => {
    const triggers = Array.from({ length: 64 }, (_, length) =>
      trigger({ path: new Uint8Array(length).fill(0xff), from: new Uint8Array(63 - length) }),
    );
    const writer = new TriggerWriter();
    for (const one of triggers) put(writer, one);
    expect(plain(takeAll(writer.take()))).toEqual(plain(triggers));
  });

  test("nothing from an empty buffer", () => {
    expect(new TriggerReader(new TriggerWriter().take()).take()).toBeNull();
  });
});

describe("TriggerWriter", () => {
  test("joins the directory and the name's range", () => {
    const writer = new TriggerWriter();
    const buffer = Uint8Array.of(1, 2, 3, 4);
    writer.add(0, 8, 1, 1, Uint8Array.of(9), buffer, 1, 3, Uint8Array.of(7));
    const [{ path, from } = trigger({})] = takeAll(writer.take());
    expect([[...path], [...from]]).toEqual([[9, 2, 3], [7]]);
  });

  test("starts anew after take, in a buffer of its own", () => {
    const writer = new TriggerWriter();
    put(writer, trigger({ rule: 1 }));
    const first = writer.take();
    expect(writer.count).toBe(0);
    put(writer, trigger({ rule: 2 }));
    expect(writer.count).toBe(1);
    expect(takeAll(writer.take()).map(({ rule }) => rule)).toEqual([2]);
    expect(takeAll(first).map(({ rule }) => rule)).toEqual([1]);
  });

  test("takes one that is longer than its whole buffer", () => {
    const writer = new TriggerWriter();
    const path = new Uint8Array(300_000).fill(0x61);
    put(writer, trigger({ path }));
    put(writer, trigger({ rule: 5 }));
    const [long, short] = takeAll(writer.take());
    expect([long!.path.length, short!.rule]).toEqual([300_000, 5]);
  });

  test("keeps 20,000 random ones in order while it grows", () => {
    const random = seededRandom();
    const triggers = Array.from({ length: 20_000 }, (_, seq) =>
      trigger({
        rule: random.below(1000),
        seq,
        path: randomBytes(random, random.below(40)),
        from: random.chance(0.5) ? nothing : randomBytes(random, random.below(40)),
      }),
    );
    const writer = new TriggerWriter();
    for (const one of triggers) put(writer, one);
    expect(writer.count).toBe(20_000);
    expect(plain(takeAll(writer.take()))).toEqual(plain(triggers));
  });
});

describe("TriggerCursor", () => {
  test("sets ticket and rule of each trigger and leaves the rest as it was", () => {
    const writer = new TriggerWriter();
    const given = [
      trigger({ path: bytes255, time: 2 ** 50 }),
      trigger({ seq: 2, path: utf8("/b"), from: utf8("/a"), actor: lone, synthetic: "restart" }),
      trigger({ seq: 3 }),
    ];
    for (const one of given) put(writer, one);
    const buffer = writer.take();
    const cursor = new TriggerCursor(buffer);
    const seen: unknown[] = [];
    for (let ticket = 2 ** 40; cursor.next(); ticket++) {
      seen.push([cursor.rule, cursor.time, cursor.synthetic, [...cursor.path]]);
      cursor.ticket = ticket;
      cursor.rule = 7;
      expect(cursor.ticket).toBe(ticket);
    }
    expect(seen).toEqual(
      given.map(({ rule, time, synthetic, path }) => [rule, time, synthetic, [...path]]),
    );
    const expected = given.map((one, at) => ({ ...one, rule: 7, ticket: 2 ** 40 + at }));
    expect(plain(takeAll(buffer))).toEqual(plain(expected));
  });

  test("gives the bytes of a trigger, which are one in any buffer", () => {
    const writer = new TriggerWriter();
    put(writer, trigger({ path: utf8("/first") }));
    put(writer, trigger({ path: utf8("/second!"), seq: 9 }));
    const cursor = new TriggerCursor(writer.take());
    cursor.next();
    cursor.next();
    const [alone] = takeAll(cursor.bytes.slice().buffer);
    expect(plain([alone!])).toEqual(plain([trigger({ path: utf8("/second!"), seq: 9 })]));
    expect(cursor.next()).toBe(false);
  });
});
