/** Values that are due a while after they were put in: one timer for all of them. */

interface Entry<Value> {
  readonly value: Value;
  /** performance.now() */
  readonly dueAt: number;
}

export class Timetable<Value> {
  /** In the order in which they are due, as long as all wait equally long. */
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #onDue: (key: string, value: Value) => void;
  #timer: Timer | null = null;

  constructor(onDue: (key: string, value: Value) => void) {
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#entries.size;
  }

  *values(): Iterable<Value> {
    for (const { value } of this.#entries.values()) yield value;
  }

  /** Undefined: there is none. */
  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Due from now on anew. */
  set(key: string, value: Value, afterMs: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, dueAt: performance.now() + afterMs });
    this.#wait();
  }

  /** Another value, due when the one before it was. */
  replace(key: string, value: Value): void {
    const { dueAt } = this.#entries.get(key)!;
    this.#entries.set(key, { value, dueAt }); // a key that is there keeps its place
  }

  /** It is not due any more. @returns undefined if there was none */
  take(key: string): Value | undefined {
    const value = this.get(key);
    this.#entries.delete(key);
    return value;
  }

  takeAll(): Value[] {
    const values = [...this.values()];
    this.#entries.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    return values;
  }

  #wait(): void {
    if (this.#timer !== null) return;
    const [first] = this.#entries.values();
    if (first === undefined) return;
    const afterMs = Math.max(first.dueAt - performance.now(), 0);
    this.#timer = setTimeout(() => this.#tellDue(), Math.ceil(afterMs));
  }

  #tellDue(): void {
    this.#timer = null;
    const now = performance.now();
    const due: [string, Value][] = [];
    for (const [key, { value, dueAt }] of this.#entries) {
      if (dueAt > now) break;
      this.#entries.delete(key);
      due.push([key, value]);
    }
    for (const [key, value] of due) this.#onDue(key, value);
    this.#wait();
  }
}
