/** What facron says of rules and words that cannot do what their author hoped for. */
import { expect, test } from "bun:test";
import { needsRoot } from "../helpers/requires.ts";
import { mountTmpfs } from "../helpers/mount.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const rootTest = needsRoot("uses fanotify");

rootTest(
  "a FAN_ rule for the files of a directory needs FAN_EVENT_ON_CHILD, and is told so",
  async () => {
    using dir = tempDir();
    dir.write("facron.conf", `${dir.path} FAN_CLOSE_WRITE /bin/true\n`);
    await using facron = await runBinary(["-c", dir.join("facron.conf")]).ready();
    expect(facron.log).toContain(
      `Rule "facron.conf:1" never fires for "${dir.path}": it is a directory, ` +
        "and its files do not count: add |FAN_EVENT_ON_CHILD to the events",
    );
  },
);

rootTest("a rule for entries does not fire for a file, and is told so", async () => {
  using dir = tempDir();
  const file = dir.write("file", "");
  dir.write("facron.conf", `${file} FAN_CREATE /bin/true\n${dir.path} FAN_CREATE\n`);
  await using facron = await runBinary(["-c", dir.join("facron.conf")]).ready();
  expect(facron.log).toContain(
    `Rule "facron.conf:1" never fires for "${file}": it is not a directory, ` +
      "and these events happen in directories only",
  );
  expect(facron.log).not.toContain("facron.conf:2");
});

test("words that only a shell or incron would understand are named, and passed on", async () => {
  using dir = tempDir();
  dir.write("facron.conf", `${dir.path} IN_CREATE /bin/echo $@/$# > /dev/null\n`);
  await using facron = await runBinary(["-c", dir.join("facron.conf")]).ready();
  expect(facron.log).toContain('Word "$@/$#" is passed on as it is: $@ is replaced only as a word');
  expect(facron.log).toContain('Word ">" is passed on as it is: no shell sees it');
});

test("a path with a glob says that it means itself", async () => {
  using dir = tempDir();
  const facron = runBinary(["watch", dir.join("*.csv")]);
  expect(await facron.exit()).toEqual({ code: 1, signal: null });
  expect(facron.log).toContain("*, ?, ~ and $ mean themselves in this path");
});

test("watch ends when its terminal is gone: there is nothing to reload", async () => {
  using dir = tempDir();
  await using facron = await runBinary(["watch", dir.path]).ready();
  expect(await facron.stop("SIGHUP")).toEqual({ code: 0, signal: null });
});

for (const backend of ["fanotify", "inotify"]) {
  rootTest(
    `a filesystem that is unmounted and mounted again is watched on, by ${backend}`,
    async () => {
      using dir = tempDir();
      const point = dir.mkdir("point");
      const first = mountTmpfs(point);
      await using facron = await runBinary(["watch", "-b", backend, "-e", "create", point]).ready();
      await Bun.write(`${point}/one`, "");
      await facron.waitForEvent("one", ({ path }) => path === `${point}/one`);
      first[Symbol.dispose]();
      await facron.waitForLog(/was replaced: watching the new one/);
      await Bun.write(`${point}/two`, "");
      await facron.waitForEvent("two", ({ path }) => path === `${point}/two`);
    },
  );
}
