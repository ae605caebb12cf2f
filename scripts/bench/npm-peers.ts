/** Peers that npm has: installed for one run into the workspace, never among our own packages. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Contender } from "./contender.ts";
import { spawnTracked } from "./consumer.ts";
import { tell } from "./tell.ts";
import type { Workspace } from "./workspace.ts";

const packages = ["chokidar@5.0.0", "@parcel/watcher@2.6.0"] as const;

const readyText = "watches now";

/** A watch on every directory and every file: fs.watch of Node.js, made recursive by itself. */
export const chokidar = npmPeer(
  "chokidar",
  `import { watch } from "chokidar";
watch(process.argv[2], { ignoreInitial: true }).on("all", () => {}).on("ready", () => console.error("${readyText}"));
`,
);

/** inotify from C++, a watch on every directory, and a list of all files kept in memory. */
export const parcelWatcher = npmPeer(
  "@parcel/watcher",
  `import { subscribe } from "@parcel/watcher";
await subscribe(process.argv[2], () => {});
console.error("${readyText}");
setInterval(() => {}, 1_000_000);
`,
);

/** @param program a module that watches its argument and says so on stderr */
function npmPeer(name: string, program: string): Contender {
  return {
    name,
    role: "peer",
    backend: "inotify",
    program: "node",
    package: "nodejs npm",
    prepare: installOnce,
    command: ({ workspace, directory }) => {
      const file = join(homeOf(workspace), `${name.replace(/\W/g, "-")}.mjs`);
      writeFileSync(file, program);
      return { argv: ["node", file, directory], readyText };
    },
  };
}

function homeOf({ scratch }: Workspace): string {
  return join(scratch, "npm");
}

let installation: Promise<void> | undefined;

/** @throws {Error} why they can't be installed here: no npm, no network */
function installOnce(workspace: Workspace): Promise<void> {
  return (installation ??= install(homeOf(workspace)));
}

async function install(home: string): Promise<void> {
  if (Bun.which("npm") === null) throw new Error("not installed: apt-get install npm");
  mkdirSync(home);
  writeFileSync(join(home, "package.json"), '{ "private": true }\n');
  tell(`npm install ${packages.join(" ")}`);
  const argv = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", ...packages];
  const child = spawnTracked(argv, { cwd: home, stdout: "ignore", stderr: "ignore" });
  if ((await child.exited) !== 0) throw new Error("npm could not install it");
}
