/** What the log says of roots: gone, replaced, not to be watched any longer. */
import { fromLatin1 } from "../../ffi/bytes.ts";
import type { SyscallError } from "../../ffi/errno.ts";
import { type Log, quoted } from "../log.ts";
import type { BackendName } from "../rule/rule.ts";
import type { GoneReason } from "./backend.ts";
import { causeOf } from "./explain.ts";
import type { Root } from "./tree.ts";

const words = {
  rules: { cannot: "Cannot watch", watched: "watched", watching: "watching the new one" },
  gates: { cannot: "No gate on", watched: "gated", watching: "the gates are on the new one" },
} as const;

export class RootReports {
  readonly #log: Log;
  readonly #backend: BackendName;
  readonly #words: (typeof words)["rules" | "gates"];
  /** Roots of which the log says that they are no longer there. */
  readonly #gone = new WeakSet<Root>();

  constructor(log: Log, backend: BackendName, serves: "rules" | "gates" = "rules") {
    this.#log = log;
    this.#backend = backend;
    this.#words = words[serves];
  }

  /** It is watched again: that it goes once more is news. */
  isBack(root: Root): void {
    this.#gone.delete(root);
  }

  sayCannot({ path }: Root, error: SyscallError): void {
    this.#log.warn(
      `${this.#words.cannot} ${quoted(path)} any longer: ${causeOf(error, this.#backend)}`,
    );
  }

  sayReplaced(root: Root): void {
    this.#log.info(`${quoted(root.path)} was replaced: ${this.#words.watching}`);
  }

  sayGone(root: Root, reason: GoneReason | "mounted"): void {
    if (this.#gone.has(root)) return;
    this.#gone.add(root);
    const state = reason === "unmounted" ? "its filesystem was unmounted" : "it is no longer there";
    this.#log.warn(
      `${this.#words.cannot} ${quoted(root.path)} any longer: ${state}; ` +
        `it is ${this.#words.watched} again as soon as it is back`,
    );
  }

  /** @param paths one char for one byte */
  sayMountedBelow({ path: top }: Root, paths: readonly string[]): void {
    for (const path of paths)
      this.#log.warn(
        `Cannot watch ${quoted(fromLatin1(path))} below ${quoted(top)}: something else is mounted there, ` +
          'and scope "filesystem" is one filesystem\'s; give it a rule of its own, or use scope "tree"',
      );
  }
}
