/** Which gate decides about a file: the first in the order of the file that is about it. */
import { bytesEqual, latin1Before } from "../../ffi/bytes.ts";
import { ActorFilter, type ActorFacts, isFilter } from "./actor.ts";
import { RuleFilter } from "./filter.ts";
import type { PlannedGate } from "./gate.ts";
import { asPattern, componentsOf, type NamePattern } from "./glob.ts";
import { type DirectoryPath, type FileFacts, noDisk, type Subject } from "./subject.ts";

/** A path that gates name, as it really is: without symbolic links. */
export interface GatedRoot {
  readonly path: Uint8Array;
  readonly isDirectory: boolean;
  readonly claims: readonly GatedClaim[];
}

/** A gate that names a root. */
export interface GatedClaim {
  /** Its index. */
  readonly gate: number;
  readonly recursive: boolean;
  readonly skipsHidden: boolean;
  /** Only what has such a name in it: the last component of a pattern, as it is written. */
  readonly names: Uint8Array | null;
}

/** What is asked about. What takes a look is asked for when a gate wants it. */
export interface Question {
  /** `gateBits` */
  readonly events: number;
  readonly facts: () => FileFacts | null;
  readonly actor: () => ActorFacts;
}

type Name = { readonly literal: Uint8Array } | { readonly pattern: NamePattern };

/** Of what is in a directory under a name that cannot be told: no gate may leave it out by that. */
const anyName = "any";

/** A gate that is about things in a directory. */
interface Candidate {
  readonly gate: CompiledGate;
  /** For `RuleFilter`: an object of its own, as what a filter makes of it depends on the root. */
  readonly directory: DirectoryPath;
  /** So many bytes of the directory's path are those of the root. */
  readonly rootLength: number;
  /** Null: of all that is in it. */
  readonly name: Name | typeof anyName | null;
}

interface CompiledGate {
  readonly index: number;
  readonly planned: PlannedGate;
  readonly filter: RuleFilter | null;
  readonly actor: ActorFilter | null;
  /** Whether its being about a file depends on what the file is. */
  readonly needsFacts: boolean;
}

/** Directories whose gates are known; all are looked up anew beyond that. */
const directoriesMax = 10_000;

const slash = 0x2f;
const dot = 0x2e;

export class GateMatcher {
  readonly #gates: readonly CompiledGate[];
  /** By the path as configured. */
  readonly #roots = new Map<string, GatedRoot>();
  readonly #candidates = new Map<string, readonly Candidate[]>();
  /** Some gate is about directories too: then it has to be asked what a file is. */
  readonly #someSeeDirectories: boolean;

  constructor(gates: readonly PlannedGate[]) {
    this.#gates = gates.map(compiled);
    this.#someSeeDirectories = gates.some(({ directories }) => directories);
  }

  /** @param key says which root is meant when it goes, or has moved */
  setRoot(key: string, root: GatedRoot): void {
    this.#roots.set(key, root);
    this.#candidates.clear();
  }

  removeRoot(key: string): void {
    this.#roots.delete(key);
    this.#candidates.clear();
  }

  /**
   * @param path the first `length` bytes: absolute, as the kernel names the file
   * @returns index of the gate, -1 if none is about it
   */
  match(path: Uint8Array, length: number, question: Question): number {
    const cut = path.lastIndexOf(slash, length - 1) + 1;
    const candidates = this.#candidatesIn(path, cut);
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      if (this.#isAbout(candidate, path, cut, length, question)) return candidate.gate.index;
    }
    return -1;
  }

  /**
   * The same of a file whose directory cannot be told, as if it lay in each directory that a gate is about.
   * The strictest decides, and not the first: that may allow what is in another directory.
   *
   * @param length 0, or the path ends with a slash: its name cannot be told either, and any would do
   * @param somewhere gates on a whole mount or filesystem count too: the kernel asks them about what is
   *   anywhere else on it
   * @returns index of the first gate that denies, else of the first that asks; -1 if there is neither
   */
  matchAnywhere(
    path: Uint8Array,
    length: number,
    question: Question,
    somewhere: "in a tree" | "anywhere",
  ): number {
    const cut = length === 0 ? 0 : path.lastIndexOf(slash, length - 1) + 1;
    const found = this.#candidatesOfRoots().filter((one) => {
      if (somewhere === "in a tree" && one.gate.planned.scope !== "tree") return false;
      const by = cut === length || includesByDirectory(one.gate) ? ofAnyName(one) : one;
      return this.#isAbout(by, path, cut, length, question);
    });
    return strictestOf(found.map(({ gate }) => gate));
  }

  #isAbout(
    { gate, directory, rootLength, name }: Candidate,
    path: Uint8Array,
    cut: number,
    length: number,
    question: Question,
  ): boolean {
    const { planned, filter, actor, needsFacts } = gate;
    if ((planned.events & question.events) === 0) return false;
    if (name !== null && name !== anyName && !isCalled(name, path, cut, length)) return false;
    const facts = needsFacts || this.#someSeeDirectories ? question.facts() : null;
    const isDirectory = facts?.type === "dir";
    if (isDirectory && !planned.directories) return false;
    if (filter !== null) {
      const subject: Subject = {
        directory,
        rootLength,
        name: path.subarray(cut, length),
        isDirectory,
        isOfWatch: false,
        facts,
      };
      if (filter.judgeState(subject) !== null) return false;
      if (name !== anyName && filter.judgeName(subject) !== null) return false;
    }
    return actor === null || actor.judge(question.actor()).passes;
  }

  #candidatesIn(path: Uint8Array, cut: number): readonly Candidate[] {
    const key = latin1Before(path, cut);
    const known = this.#candidates.get(key);
    if (known !== undefined) return known;
    if (this.#candidates.size >= directoriesMax) this.#candidates.clear();
    const found = this.#findCandidates(path.slice(0, cut));
    this.#candidates.set(key, found);
    return found;
  }

  #findCandidates(directory: Uint8Array): readonly Candidate[] {
    return inOrder(
      [...this.#roots.values()].flatMap((root) => this.#candidatesOf(root, directory)),
    );
  }

  #candidatesOfRoots(): readonly Candidate[] {
    const found = [...this.#roots.values()].flatMap((root) =>
      this.#candidatesOf(root, directoryOf(root)),
    );
    return inOrder(found);
  }

  #candidatesOf(root: GatedRoot, directory: Uint8Array): Candidate[] {
    return root.claims.flatMap((claim) => {
      const gate = this.#gates[claim.gate];
      return (gate === undefined ? null : candidateOf(gate, claim, root, directory)) ?? [];
    });
  }
}

function inOrder(candidates: Candidate[]): readonly Candidate[] {
  return candidates.sort((a, b) => a.gate.index - b.gate.index);
}

/** @param gates in their order */
function strictestOf(gates: readonly CompiledGate[]): number {
  const first = (kind: "deny" | "ask"): CompiledGate | undefined =>
    gates.find(({ planned }) => planned.decision.kind === kind);
  return (first("deny") ?? first("ask"))?.index ?? -1;
}

/** Of a gate on a file that stays as it is: who opens that file is known by what it is. */
function ofAnyName(candidate: Candidate): Candidate {
  const { name } = candidate;
  const isFile = name !== null && name !== anyName && "literal" in name;
  return isFile ? candidate : { ...candidate, name: anyName };
}

function includesByDirectory({ planned }: CompiledGate): boolean {
  return planned.filter?.include?.some((pattern) => pattern.includes(slash)) ?? false;
}

/** The root itself if it is one, else that which it is in; with a slash at its end. */
function directoryOf({ path, isDirectory }: GatedRoot): Uint8Array {
  if (!isDirectory) return path.slice(0, path.lastIndexOf(slash) + 1);
  if (path.length === 1) return path;
  const directory = new Uint8Array(path.length + 1);
  directory.set(path);
  directory[path.length] = slash;
  return directory;
}

function compiled(planned: PlannedGate, index: number): CompiledGate {
  const { filter, actor, directories } = planned;
  const { types, minSize, maxSize } = filter ?? {};
  const looksAtFile = types !== undefined || minSize !== undefined || maxSize !== undefined;
  return {
    index,
    planned,
    filter: filter === undefined ? null : new RuleFilter(filter, noDisk),
    actor: actor === undefined || !isFilter(actor) ? null : new ActorFilter(actor),
    needsFacts: looksAtFile || (directories && filter !== undefined),
  };
}

/** Null if the gate is about nothing in the directory. @param directory with a slash at its end */
function candidateOf(
  gate: CompiledGate,
  { recursive, skipsHidden, names }: GatedClaim,
  { path, isDirectory }: GatedRoot,
  directory: Uint8Array,
): Candidate | null {
  const base = { gate, directory: { raw: directory } };
  const cut = path.lastIndexOf(slash) + 1;
  const isAbove = bytesEqual(directory, path.subarray(0, cut));
  if (isAbove && names === null && path.length > cut) {
    // The root itself. What is in the directory beside it is of another root, or of none.
    return { ...base, rootLength: cut, name: { literal: path.subarray(cut) } };
  }
  if (!isDirectory) return null;
  const rootLength = path.length === 1 ? 1 : path.length + 1;
  if (!isIn(directory, path)) return null;
  const isTop = directory.length === rootLength;
  if (names !== null)
    return isTop ? { ...base, rootLength, name: { pattern: patternOf(names) } } : null;
  if (!gate.planned.children) return null;
  if (!isTop && (!recursive || (skipsHidden && hasHidden(directory, rootLength)))) return null;
  return { ...base, rootLength, name: null };
}

/** Whether a directory, with a slash at its end, is `path` or below it. */
function isIn(directory: Uint8Array, path: Uint8Array): boolean {
  const { length } = path;
  if (length === 1) return true;
  if (directory.length <= length || directory[length] !== slash) return false;
  return bytesEqual(directory.subarray(0, length), path);
}

function hasHidden(directory: Uint8Array, rootLength: number): boolean {
  for (let at = rootLength; at < directory.length - 1; at++)
    if (directory[at] === dot && directory[at - 1] === slash) return true;
  return false;
}

function patternOf(names: Uint8Array): NamePattern {
  return asPattern(componentsOf(names)[0]!);
}

function isCalled(name: Name, path: Uint8Array, cut: number, length: number): boolean {
  const bytes = path.subarray(cut, length);
  return "pattern" in name ? name.pattern.matches(bytes) : bytesEqual(bytes, name.literal);
}
