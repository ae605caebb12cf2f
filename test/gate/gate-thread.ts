/**
 * The gate thread of listener.ts. By the file's name: "deny*" is denied, "hold*" never answered while the
 * thread goes on, "hang*" never answered while it hangs; anything else is allowed.
 */
import { basename } from "node:path";
import { readlinkSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { utf8 } from "../../ffi/bytes.ts";
import { FAN_ALLOW, FAN_DENY, metadataLayout } from "../../ffi/fanotify/abi.ts";
import { closeDescriptor, readNow, writeNow } from "../../ffi/fd.ts";
import { libc } from "../../ffi/libc.ts";
import { POLLIN, pollOne } from "../../ffi/poll.ts";
import { Pulse } from "../../src/gate/pulse.ts";

const { group, memory } = workerData as { readonly group: number; readonly memory: number };
const pulse = new Pulse(memory);
const buffer = new DataView(new ArrayBuffer(4096));
const response = new Int32Array(2);
let held = 0;

parentPort!.postMessage("ready");
for (;;) {
  pulse.beforeWait(held);
  pollOne(group, POLLIN, held > 0 ? 1_000 : -1);
  pulse.beforeRead();
  const length = readNow(group, new Uint8Array(buffer.buffer));
  for (let at = 0; at < length; at += buffer.getUint32(at + metadataLayout.event_len, true)) {
    decide(buffer.getInt32(at + metadataLayout.fd, true));
  }
}

function decide(fd: number): void {
  const name = basename(readlinkSync(`/proc/self/fd/${fd}`));
  if (name.startsWith("hang")) pollOne(-1, 0, -1);
  if (name.startsWith("hold")) hold();
  else answer(fd, name.startsWith("deny") ? FAN_DENY : FAN_ALLOW);
}

function hold(): void {
  held++;
  writeNow(1, utf8("holds\n"));
}

/** Also what the guard has answered (ENOENT). */
function answer(fd: number, verdict: number): void {
  response.set([fd, verdict]);
  libc.write(group, new Uint8Array(response.buffer), 8);
  closeDescriptor(fd);
}
