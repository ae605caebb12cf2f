/**
 * What `npm start` runs: builds facron and runs it on an example that can be tried at once.
 *
 *     bun scripts/start.ts [DIRECTORY]     default: facron-example in the directory for temporary files
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { build } from "./build.ts";

const isRoot = process.geteuid?.() === 0;

/** @returns facron's exit code, or 128 and the signal that ended it, as a shell has it */
async function start(directory: string): Promise<number> {
  console.error(build());
  const configuration = writeExample(directory);
  const binary = join(dirname(import.meta.dir), "dist/facron");
  const facron = Bun.spawn([binary, "--config", configuration], {
    stdio: ["inherit", "inherit", "inherit"],
    detached: true, // Ctrl-C is for us to pass on, once
  });
  console.error(whatToType(directory, facron.pid));
  passSignalsTo(facron);
  return facron.exited;
}

/**
 * A Ctrl-C comes from the terminal and once more from npm: signals that come together count as one.
 * A terminal that goes away says SIGHUP, at which facron would reload: it is told to end.
 */
function passSignalsTo(facron: Bun.Subprocess): void {
  const together = 200; // ms
  const passed = { SIGINT: "SIGINT", SIGTERM: "SIGTERM", SIGHUP: "SIGTERM" } as const;
  for (const [signal, passedOn] of Object.entries(passed)) {
    let last = -Infinity;
    process.on(signal, () => {
      if (performance.now() - last > together) facron.kill(passedOn);
      last = performance.now();
    });
  }
}

/** A directory to watch, a command and a configuration. @returns the path of the configuration */
export function writeExample(directory: string): string {
  takeDirectory(directory);
  const watched = join(directory, "in");
  mkdirSync(watched, { recursive: true });
  const command = join(directory, "show.sh");
  writeOnce(command, script, 0o755);
  const configuration = join(directory, "facron.conf");
  writeOnce(configuration, configurationOf(watched, command), 0o644);
  return configuration;
}

/** What somebody has changed since the last start stays. */
function writeOnce(path: string, content: string, mode: number): void {
  if (existsSync(path)) return;
  writeFileSync(path, content);
  chmodSync(path, mode);
}

/** Others may have made one of that name in /tmp, and what is in it gets run: then it is not ours. */
function takeDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const status = lstatSync(directory);
  const isOurs = status.isDirectory() && status.uid === process.geteuid?.();
  if (isOurs && (status.mode & 0o022) === 0) return;
  throw new Error(
    `Cannot use "${directory}": it is not a directory that only you can write to; give another: npm start -- DIRECTORY`,
  );
}

const script = `#!/bin/sh
# facron runs this with the path of the file as its only argument; no shell has read the name before.
printf 'show.sh: "%s" has %s bytes\\n' "$1" "$(wc -c < "$1")"
`;

/** Two rules: one with a command, one that only tells. */
function configurationOf(watched: string, command: string): string {
  const name = (event: string) => (isRoot ? `FAN_${event}|FAN_EVENT_ON_CHILD` : `IN_${event}`);
  const backend = isRoot
    ? "FAN_ names use fanotify; with FAN_EVENT_ON_CHILD, files in the directory count"
    : "IN_ names use inotify, which needs no root";
  return `# PATH EVENTS [COMMAND]: ${backend}

# A file was written and closed: run a command with its path.
"${watched}" ${name("CLOSE_WRITE")} "${command}" $$

# Something was moved in, moved out or deleted: only tell, as a JSON line on stdout.
"${watched}" ${name("MOVED_TO")},${name("MOVED_FROM")},${name("DELETE")}
`;
}

function whatToType(directory: string, pid: number): string {
  const watched = quoted(join(directory, "in"));
  const lines = [
    [`echo hello > ${watched}/a.txt`, "an event here, and show.sh runs"],
    [`cp /etc/hosts ${watched}/'two words'`, "again; a name with a blank is one argument"],
    [`mv ${watched}/a.txt ${watched}/b.txt`, "events only"],
    [`rm ${watched}/b.txt`, "an event only"],
    [`kill -USR1 ${pid}`, "reloads facron.conf, once you have changed it"],
  ] as const;
  const width = Math.max(...lines.map(([command]) => command.length));
  const table = lines.map(([command, effect]) => `  ${command.padEnd(width)}   ${effect}`);
  return `
The example is in ${directory}: facron.conf is what facron reads, show.sh is what it runs.
In another terminal, type for instance:

${table.join("\n")}

Ctrl-C ends it. JSON lines are events (stdout); the rest is the log (stderr).
`;
}

/** For a shell, if it needs it. */
function quoted(path: string): string {
  return /^[\w/.-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

if (import.meta.main) {
  try {
    process.exitCode = await start(resolve(process.argv[2] ?? join(tmpdir(), "facron-example")));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
