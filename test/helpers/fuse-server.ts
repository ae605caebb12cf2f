/** A FUSE mount whose server is ours to kill and to stop: a remote filesystem as far as the kernel can tell. */
import { mkdirSync, readFileSync } from "node:fs";
import { atTestEnd } from "./at-test-end.ts";
import { unmountBelow } from "./mount.ts";
import { waitFor } from "./wait-for.ts";

export class FuseServer implements AsyncDisposable {
  readonly path: string;
  readonly #process: Bun.Subprocess;

  private constructor(path: string, process: Bun.Subprocess) {
    this.path = path;
    this.#process = process;
  }

  /** bindfs of `source` at `path`. */
  static async start(source: string, path: string): Promise<FuseServer> {
    mkdirSync(path, { recursive: true });
    const process = Bun.spawn(["bindfs", "-f", source, path], { stderr: "inherit" });
    const server = new FuseServer(path, process);
    atTestEnd(() => server[Symbol.asyncDispose]());
    const isMounted = (): boolean =>
      readFileSync("/proc/self/mountinfo", "utf8").includes(` ${path} `);
    await waitFor(isMounted, { what: `${path} to be mounted` });
    return server;
  }

  /** It answers nobody any more, and nobody is told so. */
  stop(): void {
    this.#process.kill("SIGSTOP");
  }

  resume(): void {
    this.#process.kill("SIGCONT");
  }

  /** Everything in the mount fails with ENOTCONN. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    unmountBelow(this.path);
  }
}
