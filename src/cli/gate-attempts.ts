/** What someone is about to do, as the command line says it, put to the gates of a configuration. */
import { latin1, pathBytes } from "../../ffi/bytes.ts";
import { findAccount } from "../../ffi/users.ts";
import { placeAt, statusOf } from "../config/gate-places.ts";
import { tryGates } from "../config/gate-trial.ts";
import { absolutePath } from "../config/watch-path.ts";
import type { ActorFacts } from "../rule/actor.ts";
import { type Gate, gateBits, gateEventNames } from "../rule/gate.ts";
import type { FileFacts } from "../rule/subject.ts";
import type { GateAnswer } from "./gate-answers.ts";

export interface Attempts {
  readonly paths: readonly string[];
  /** `gateBits`: each is an attempt of its own. */
  readonly events: number;
  readonly actor: ActorFacts;
  /** Whether the path is a directory; absent: as it is on the disk. */
  readonly isDirectory?: boolean | undefined;
  /** Where relative paths start. */
  readonly cwd: string;
}

export function gateAnswers(gates: readonly Gate[], attempts: Attempts): GateAnswer[] {
  const { paths, events, actor, cwd } = attempts;
  const bits = gateEventNames.map((name) => gateBits[name]).filter((bit) => (events & bit) !== 0);
  return paths.flatMap((written) => {
    const path = absolutePath(latin1(pathBytes(written)), latin1(pathBytes(cwd)));
    const place = placeAt(path);
    const facts = factsOf(path, attempts.isDirectory);
    const isDirectory = facts?.type === "dir";
    return bits.map((event) => {
      const trial = tryGates(gates, { event, place, facts, actor, uidOf });
      return { path, real: place.real, event, isDirectory, actor, trial };
    });
  });
}

export function uidOf(user: string): number | null {
  return findAccount(user)?.uid ?? null;
}

/** Null: nothing is there, so that nothing of it is known. */
function factsOf(path: Uint8Array, isDirectory: boolean | undefined): FileFacts | null {
  if (isDirectory === true) return { type: "dir", size: 0 };
  const status = statusOf(path);
  if (status === null) return null;
  if (status.isDirectory()) return { type: "dir", size: 0 };
  return { type: status.isFile() ? "file" : "other", size: status.size };
}
