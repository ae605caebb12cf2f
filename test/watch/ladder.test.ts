/** Backends are opened when they are needed, and anew only if what was asked of them can be had. */
import { expect, test } from "bun:test";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import type { ActorDesk } from "../../src/watch/actor-desk.ts";
import type { Backend } from "../../src/watch/backend.ts";
import { FanotifyBackend } from "../../src/watch/fanotify.ts";
import { InotifyBackend } from "../../src/watch/inotify.ts";
import { Ladder } from "../../src/watch/ladder.ts";
import { needsRoot } from "../helpers/requires.ts";

const desk: ActorDesk = { beginRead: () => {}, beginRecord: () => {}, endRecord: () => {} };

/** A ladder that says what it opens; `refuses` stands for what the system refuses then. */
function ladder() {
  const asked: (ActorDesk | null)[] = [];
  const state = { refuses: false };
  const opened: Backend[] = [];
  const keep = (backend: Backend): Backend => {
    opened.push(backend);
    return backend;
  };
  const rungs = new Ladder({
    inotify: () => keep(new InotifyBackend()),
    fanotify: (options) => {
      asked.push(options.actors ?? null);
      if (state.refuses) throw new SyscallError("fanotify_init", Errno.EMFILE);
      return keep(new FanotifyBackend(process.pid, options));
    },
  });
  const end = () => opened.forEach((backend) => backend.close());
  return { rungs, asked, state, [Symbol.dispose]: end };
}

const rootTest = needsRoot("opens fanotify");

test("fanotify that is not open yet is opened once, as it is wanted by then", () => {
  using all = ladder();
  all.state.refuses = true;
  expect(all.rungs.tellActors(desk)).toBeNull();
  expect(all.asked).toEqual([]);
  all.rungs.backend("fanotify");
  all.rungs.backend("fanotify");
  expect(all.asked).toEqual([desk]);
});

rootTest("fanotify is opened anew for actors, and again without", () => {
  using all = ladder();
  const plain = all.rungs.backend("fanotify");
  expect(all.rungs.tellActors(desk)).toBe(plain as Backend);
  const telling = all.rungs.backend("fanotify");
  expect(telling).not.toBe(plain);
  expect(all.rungs.tellActors(null)).toBe(telling as Backend);
  expect(all.rungs.backend("fanotify")).not.toBe(telling);
  expect(all.asked).toEqual([null, desk, null]);
});

rootTest("what is open stays if the new one is refused", () => {
  using all = ladder();
  const plain = all.rungs.backend("fanotify");
  all.state.refuses = true;
  expect(all.rungs.tellActors(desk)).toMatchObject({ code: "EMFILE" });
  expect(all.rungs.backend("fanotify")).toBe(plain);
  expect(all.rungs.tellsActors).toBe(false);
});
