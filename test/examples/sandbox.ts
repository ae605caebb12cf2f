/** A place where examples can be run as they are written: their /etc and /srv, their programs, no other facron. */
import { dirname } from "node:path";
import { mountImage } from "../helpers/mount.ts";
import { binaryPath, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";

export class Sandbox {
  readonly #dir: TempDir = tempDir();

  constructor() {
    for (const directory of ["etc", "srv", "run", "home"]) this.#dir.mkdir(directory);
  }

  /** Write a file as the examples see it: "/etc/facron.conf"; a relative one is in their directory. */
  write(path: string, content: string): void {
    this.#dir.write(path.startsWith("/") ? path : `home/${path}`, content);
  }

  /** Have a directory on a filesystem whose files tell of all that is written to them; to be called first. */
  onDisk(path: string): void {
    mountImage(this.#dir.mkdir(path), "ext4");
  }

  mkdir(path: string): void {
    this.#dir.mkdir(path);
  }

  /**
   * Run a command line of a shell, in a mount and a pid namespace of its own.
   *
   * @param programs absolute paths of what does nothing, successfully
   */
  run(
    commandLine: string,
    { programs = [] }: { programs?: readonly string[] } = {},
  ): RunningBinary {
    const directories = [...new Set(programs.map((program) => dirname(program)))];
    const script = [
      "set -e",
      ...directories.map((directory) => this.#overlay(directory)),
      ...programs.map((program) => `printf '#!/bin/sh\\n' >${program}; chmod +x ${program}`),
      ...["etc", "srv", "run"].map((name) => `mount --bind ${this.#dir.join(name)} /${name}`),
      `cd ${this.#dir.join("home")}`,
      `PATH=${dirname(binaryPath)}:$PATH`,
      commandLine,
    ];
    const namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    return runBinary([], {
      command: ["unshare", ...namespaces, "/bin/sh", "-c", script.join("\n"), binaryPath],
    });
  }

  /** What is in `directory` already, and what is written there by the examples alone. */
  #overlay(directory: string): string {
    const [upper, work] = ["upper", "work"].map((name) => this.#dir.mkdir(`${name}${directory}`));
    const options = `lowerdir=${directory},upperdir=${upper},workdir=${work}`;
    return `mkdir -p ${directory}; mount -t overlay facron-test -o ${options} ${directory}`;
  }
}
