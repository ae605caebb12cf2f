/** Descriptors through a socket, on the real kernel. */
import { expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import {
  openSocketPair,
  receiveDescriptors,
  sendDescriptors,
} from "../../ffi/descriptor-passing.ts";
import { O, openFd, writeNow } from "../../ffi/fd.ts";
import { cPath } from "../helpers/c-path.ts";

const targetOf = (fd: number) => readlinkSync(`/proc/self/fd/${fd}`);

test("several arrive in their order, under numbers of their own, and close on exec", () => {
  const [one, other] = openSocketPair();
  using _one = one;
  using _other = other;
  using zero = openFd(cPath("/dev/zero"), O.RDONLY);
  using full = openFd(cPath("/dev/full"), O.RDONLY);
  sendDescriptors(one.number, [zero.number, full.number, zero.number]);
  const received = receiveDescriptors(other.number, 3)!;
  expect(received.map((fd) => targetOf(fd.number))).toEqual([
    "/dev/zero",
    "/dev/full",
    "/dev/zero",
  ]);
  const listed = Bun.spawnSync(["ls", "-l", "/proc/self/fd"]).stdout.toString();
  expect(listed).not.toContain("/dev/full");
  for (const fd of received) fd.close();
});

test("null stands for an end that is gone, and for a packet without them", () => {
  const [one, other] = openSocketPair();
  using _other = other;
  writeNow(one.number, new Uint8Array(1));
  expect(receiveDescriptors(other.number, 1)).toBe(null);
  one.close();
  expect(receiveDescriptors(other.number, 1)).toBe(null);
});
