/** A reader that waits for a filesystem is noticed by the main thread, which it cannot tell anything. */
import { expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { HangWatch } from "../../src/daemon/hang-watch.ts";
import { Lookout, sharedBytes, stepWord } from "../../src/reader/lookout.ts";
import { waitFor } from "../helpers/wait-for.ts";

const waiting =
  'Waiting for the filesystem of "/share", which has not answered for 0.005s: nothing is told until it does';
const answered = 'Answered: the filesystem of "/share"';

function setUp() {
  const shared = new SharedArrayBuffer(sharedBytes);
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  const watch = new HangWatch(new Lookout(shared), { info: say, warn: say }, 5);
  const reader = new Lookout(shared);
  reader.at(utf8("/a longer path"));
  reader.at(utf8("/share"));
  return { watch, reader, shared, said };
}

test("HangWatch says once that a filesystem does not answer, and once that it does", async () => {
  const { watch, reader, shared, said } = setUp();
  const checks = new Int32Array(shared);
  Atomics.add(checks, stepWord, 1); // as `during` begins
  watch.start();
  await waitFor(() => said.length > 0, { what: "a hang to be said" });
  expect(watch.hanging).toBe('the filesystem of "/share"');
  Atomics.add(checks, stepWord, 1); // as it ends
  reader.during(() => {});
  await waitFor(() => said.length > 1, { what: "its end to be said" });
  watch.stop();
  expect(said).toEqual([waiting, answered]);
  expect(watch.hanging).toBeNull();
});

test("HangWatch takes neither a reader at rest nor one that asks much for one that hangs", async () => {
  const { watch, reader, said } = setUp();
  let looks = 0;
  let atRest = 0;
  watch.start();
  await waitFor(() => reader.step % 2 === 0 && ++atRest > 5, { what: "some checks at rest" });
  await waitFor(() => (reader.during(() => {}), ++looks > 20), { what: "some looks" });
  watch.stop();
  expect(said).toEqual([]);
});

test("Lookout.during is over when what it does throws", () => {
  const { reader } = setUp();
  const before = reader.step;
  const fail = (): void => {
    throw new Error("gone");
  };
  expect(() => reader.during(fail)).toThrow("gone");
  expect(reader.step).toBe(before + 2);
});
