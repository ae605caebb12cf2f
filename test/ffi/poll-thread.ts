/** A thread for poll.test.ts: waits for one descriptor, says so in another. */
import { writeNow } from "../../ffi/fd.ts";
import { POLLIN, pollOne } from "../../ffi/poll.ts";
import { text } from "../helpers/bytes.ts";

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<{ wait: number; answer: number }>) => {
  writeNow(data.answer, text("w")); // about to wait
  if (pollOne(data.wait, POLLIN, 20_000) === POLLIN) writeNow(data.answer, text("ok"));
};
