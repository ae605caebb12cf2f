/** Without root: a directory that facron may not read is watched once it may. */
import { expect } from "bun:test";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { needsRoot } from "../helpers/requires.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const rootTest = needsRoot("starts facron as another user");

const nobody = 65534;

rootTest(
  "inotify watches a closed directory as soon as it is opened, an old one and a new one",
  async () => {
    const dir = tempDir();
    chmodSync(dir.path, 0o755);
    const d = dir.mkdir("D");
    const [old, fresh] = [`${d}/old`, `${d}/new`];
    mkdirSync(old, { mode: 0 });
    mkdirSync(`${old}/below`);
    writeFileSync(`${old}/before`, "");
    chownSync(d, nobody, nobody);
    const args = ["watch", "-r", "-e", "create,delete", "--backend", "inotify", d];
    await using facron = await runBinary(args, { uid: nobody, gid: nobody }).ready();
    const isTold = (path: string) => facron.events.some((event) => event.path === path);
    const told = (path: string) =>
      waitFor(() => isTold(path), { what: path, state: () => facron.log });
    mkdirSync(fresh, { mode: 0 });
    await told(fresh);
    for (const closed of [old, fresh]) {
      // A look is under way as soon as the mode has changed: until it is over, nothing there is told.
      chmodSync(closed, 0o755);
      let files = 0;
      await waitFor(
        () => {
          const file = `${closed}/f${files++}`;
          writeFileSync(file, "");
          return facron.events.some(({ path }) => path?.startsWith(`${closed}/f`));
        },
        { what: `something in ${closed}`, state: () => facron.log },
      );
    }
    writeFileSync(`${old}/below/f`, "");
    await told(`${old}/below/f`);
    expect(isTold(`${old}/before`)).toBe(false);
    const said = facron.log.match(/Cannot watch .*?"\S+"/g) ?? [];
    expect(said.map((text) => text.slice(text.indexOf('"')))).toEqual([`"${old}"`, `"${fresh}"`]);
  },
);
