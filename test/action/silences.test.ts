import { expect, test } from "bun:test";
import { Silences, silenceMs } from "../../src/action/silences.ts";

test("Silences lets one of a kind through at a time, and says how many it did not", () => {
  let now = 5;
  const silences = new Silences(() => now);
  const said: [string, number][] = [];
  const tell = (kind: string): void => silences.tell(kind, (untold) => said.push([kind, untold]));
  for (const kind of ["a", "a", "b", "a"]) tell(kind);
  now += silenceMs - 1;
  tell("a");
  expect(said.splice(0)).toEqual([
    ["a", 0],
    ["b", 0],
  ]);
  now += 1;
  for (const kind of ["a", "a", "b"]) tell(kind);
  expect(said.splice(0)).toEqual([
    ["a", 3],
    ["b", 0],
  ]);
  now += silenceMs;
  tell("a");
  expect(said).toEqual([["a", 1]]);
});
