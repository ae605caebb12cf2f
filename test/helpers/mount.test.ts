/** What several test runs do with mounts at the same time. */
import { expect } from "bun:test";
import { join } from "node:path";
import { mountTmpfs, unmountBelow } from "./mount.ts";
import { requires } from "./requires.ts";
import { tempDir } from "./temp-dir.ts";

const mounts = 20;
const runs = 4;

requires({ root: "mounts a filesystem" })(
  "unmountBelow takes what another run unmounts at the same moment for unmounted",
  async () => {
    const dir = tempDir({ on: "disk" });
    const module = join(import.meta.dir, "mount.ts");
    const program = `import { unmountBelow } from ${JSON.stringify(module)};
      for await (const _ of console) break;
      unmountBelow(${JSON.stringify(dir.path)});`;
    for (let mount = 0; mount < mounts; mount++) mountTmpfs(dir.join(`mount${mount}`));
    const users = Array.from({ length: mounts }, (_, mount) =>
      Bun.spawn(["sleep", "infinity"], { cwd: dir.join(`mount${mount}`) }),
    );
    const sweepers = Array.from({ length: runs }, () =>
      Bun.spawn([process.execPath, "-e", program], { stdin: "pipe", stderr: "pipe" }),
    );
    for (const { stdin } of sweepers) {
      stdin.write("\n");
      await stdin.end();
    }
    const said = await Promise.all(sweepers.map(({ stderr }) => new Response(stderr).text()));
    for (const user of users) user.kill("SIGKILL");
    unmountBelow(dir.path);
    expect(said).toEqual(said.map(() => ""));
  },
);
