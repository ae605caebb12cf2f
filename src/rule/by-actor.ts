/** What is the same for all processes that the same rules leave out, found by the process. */
import type { ActorFacts } from "./actor.ts";

/** Whoever starts the processes chooses how many sets of rules leave them out: all are made anew then. */
const variantsMax = 64;

export class ByActor<Variant> {
  readonly #keyFor: (actor: ActorFacts) => string;
  readonly #make: (key: string) => Variant;
  readonly #byActor = new WeakMap<ActorFacts, Variant>();
  readonly #byKey = new Map<string, Variant>();

  /** @param keyFor says which rules leave a process out; `make` is asked once for each answer */
  constructor(keyFor: (actor: ActorFacts) => string, make: (key: string) => Variant) {
    this.#keyFor = keyFor;
    this.#make = make;
  }

  /** @param actor the same object for as long as what it says is true */
  of(actor: ActorFacts): Variant {
    const known = this.#byActor.get(actor);
    if (known !== undefined) return known;
    const variant = this.#variantFor(this.#keyFor(actor));
    this.#byActor.set(actor, variant);
    return variant;
  }

  #variantFor(key: string): Variant {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#byKey.size >= variantsMax) this.#byKey.clear();
    const variant = this.#make(key);
    this.#byKey.set(key, variant);
    return variant;
  }
}
