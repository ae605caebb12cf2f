/** Starts the commands of rules: as facron itself, or by way of the helper as another user. */
import { utf8 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { StringVector } from "../../ffi/process.ts";
import type { Account } from "../../ffi/users.ts";
import { givenEnvironment } from "../environment.ts";
import { withoutEventVariables } from "../rule/event-environment.ts";
import type { Surroundings } from "../rule/policy.ts";
import type { RunAs } from "../rule/rule.ts";
import { mayRead } from "./access.ts";
import { accountFor, environmentOf, isOurs } from "./account.ts";
import { ProcessGroup } from "./process-group.ts";
import type { Started } from "./run.ts";
import { startProcess } from "./child-process.ts";
import { AccessDenied } from "./denials.ts";
import type { Ending } from "./ending.ts";
import { emptyProgramError, type Refused, startError } from "./start-error.ts";
import { startHelper } from "./start-helper.ts";

/** One command as it is to be started. */
export interface Start {
  /** Bytes without NUL; not kept. */
  readonly argv: readonly Uint8Array[];
  /** `NAME=value` entries that tell of the event. */
  readonly variables: readonly Uint8Array[];
  readonly runAs: RunAs | null;
  /** The place that told of the event. */
  readonly place: Uint8Array;
  readonly surroundings: Surroundings | null;
  /** What it reads on stdin; null: nothing. */
  readonly stdin: Uint8Array | null;
  /** The rule's name, for the log. */
  readonly rule: string;
}

export interface SpawnOptions {
  /** Where a relative program starts; the command itself runs in facron's working directory. */
  readonly cwd: string;
  /** How facron starts itself: for commands as another user. */
  readonly self: readonly string[];
  /** The command's stdout and stderr. */
  readonly stderrFd: number;
  /** Called once when the command has ended, and never if it could not be started. */
  readonly onExit: (ending: Ending) => void;
}

/**
 * Start a program without a shell, in a process group of its own.
 *
 * It gets /dev/null, `stderrFd` twice and no other descriptor, the environment that facron was
 * started with, every signal at its default and none blocked. Word 0 is a path: PATH is not
 * searched (execv(3), as facron 1.1 had it).
 *
 * posix_spawn by FFI and not Bun.spawn: that cannot pass on bytes which are not UTF-8, and its only
 * way to a process group is setsid(2), which costs a fifth of the starts per second where the
 * scheduler groups processes by session (sched_autogroup). `npm run bench` shows the difference.
 *
 * As another user it is started by way of a helper (`exec-helper.ts`), which costs some 10 ms.
 *
 * @throws {ActionError} one sentence with the cure
 */
export function spawnCommand(start: Start, options: SpawnOptions): Started {
  return new ProcessGroup(spawnProcess(start, options));
}

function spawnProcess(start: Start, options: SpawnOptions): number {
  const program = start.argv[0];
  if (program === undefined || program.length === 0) throw emptyProgramError();
  const target = { program, path: lookupPath(program, options.cwd) };
  const { runAs } = start;
  if (runAs === null) {
    return startDirectly(target, environment().set(start.variables), start, options);
  }
  const account = accountFor(runAs);
  const base = environmentFor(account, runAs);
  const place = runAs.needsAccess ? start.place : noBytes;
  if (!isOurs(account)) {
    const helped = { target, argv: start.argv, account, place };
    return startHelper({ ...helped, environment: base.set(start.variables) }, options);
  }
  if (place.length > 0 && !mayRead(place)) throw new AccessDenied(account.name, place);
  return startDirectly(target, base.set(start.variables), start, options);
}

function startDirectly(
  target: Refused,
  environment: StringVector,
  { argv }: Start,
  { stderrFd, onExit }: SpawnOptions,
): number {
  try {
    const program = { path: target.path, argv: words.set(argv), environment, stderrFd };
    return startProcess(program, onExit);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw startError(target, error.errno, error);
  }
}

const noBytes = new Uint8Array(0);

const environments = new WeakMap<Account, Map<boolean, StringVector>>();

function environmentFor(account: Account, runAs: RunAs): StringVector {
  const known = environments.get(account) ?? new Map<boolean, StringVector>();
  environments.set(account, known);
  const vector =
    known.get(runAs.clearsEnvironment) ??
    new StringVector().keep(environmentOf(account, runAs, baseEnvironment()));
  known.set(runAs.clearsEnvironment, vector);
  return vector;
}

const words = new StringVector();
const slash = 0x2f;

function lookupPath(program: Uint8Array, cwd: string): Uint8Array {
  return program[0] === slash ? program : Buffer.concat([utf8(`${cwd}/`), program]);
}

let knownEnvironment: StringVector | null = null;

function environment(): StringVector {
  knownEnvironment ??= new StringVector().keep(baseEnvironment());
  return knownEnvironment;
}

function baseEnvironment(): Uint8Array[] {
  return withoutEventVariables(givenEnvironment());
}
