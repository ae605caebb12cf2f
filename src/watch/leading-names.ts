/** The names in one directory that lead to watched files: found where they lie, in the read buffer. */

export interface LeadingName {
  readonly name: Uint8Array;

  /**
   * The name was given to a file, or taken from one, or both.
   *
   * @param events of `entryEvents`
   */
  changed(events: number): void;
}

/** FNV-1a. */
const fnvPrime = 0x0100_0193;
const fnvOffset = 0x811c_9dc5 | 0;

const none: readonly LeadingName[] = [];

export class LeadingNames {
  readonly #byHash = new Map<number, readonly LeadingName[]>();

  get isEmpty(): boolean {
    return this.#byHash.size === 0;
  }

  add(one: LeadingName): void {
    const hash = hashOf(one.name, 0, one.name.length);
    this.#byHash.set(hash, [...(this.#byHash.get(hash) ?? none), one]);
  }

  delete(one: LeadingName): void {
    const hash = hashOf(one.name, 0, one.name.length);
    const others = this.#byHash.get(hash)?.filter((other) => other !== one) ?? none;
    if (others.length > 0) this.#byHash.set(hash, others);
    else this.#byHash.delete(hash);
  }

  /** Those that a record may mean: almost always none. Others may have the same hash. */
  like(bytes: Uint8Array, start: number, end: number): readonly LeadingName[] {
    return this.#byHash.get(hashOf(bytes, start, end)) ?? none;
  }
}

/** Whether it is the name that a record says. */
export function isNamed(
  { name }: LeadingName,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) if (name[i] !== bytes[start + i]) return false;
  return true;
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = fnvOffset;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, fnvPrime);
  return hash;
}
