/** From inotify's watch descriptors to marks. */

const initialSlots = 256;

/**
 * A hash table with open addressing. A Map takes 77 bytes for each mark, and this 10 to 20.
 *
 * The kernel counts watch descriptors up, so their low bits are spread as well as any hash.
 */
export class WdTable<Mark extends { readonly wd: number }> {
  #slots: (Mark | null)[] = emptySlots(initialSlots);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(wd: number): Mark | null {
    const slots = this.#slots;
    const last = slots.length - 1;
    for (let slot = wd & last; ; slot = (slot + 1) & last) {
      const mark = slots[slot]!;
      if (mark === null || mark.wd === wd) return mark;
    }
  }

  /** @param mark of a watch descriptor that has none yet */
  add(mark: Mark): void {
    if ((this.#size + 1) * 4 > this.#slots.length * 3) this.#grow();
    insert(this.#slots, mark);
    this.#size++;
  }

  /** @returns whether it was there */
  delete(wd: number): boolean {
    const slots = this.#slots;
    const last = slots.length - 1;
    let slot = wd & last;
    while (slots[slot] !== null && slots[slot]!.wd !== wd) slot = (slot + 1) & last;
    if (slots[slot] === null) return false;
    slots[slot] = null;
    this.#size--;
    this.#closeGap(slot);
    return true;
  }

  /** Marks behind a gap are put in again, so that a search may stop at the first empty slot. */
  #closeGap(gap: number): void {
    const slots = this.#slots;
    const last = slots.length - 1;
    for (let slot = (gap + 1) & last; ; slot = (slot + 1) & last) {
      const mark = slots[slot]!;
      if (mark === null) return;
      slots[slot] = null;
      insert(slots, mark);
    }
  }

  #grow(): void {
    const slots = emptySlots<Mark>(this.#slots.length * 2);
    for (const mark of this.#slots) if (mark !== null) insert(slots, mark);
    this.#slots = slots;
  }
}

function emptySlots<Mark>(count: number): (Mark | null)[] {
  return new Array<Mark | null>(count).fill(null);
}

function insert<Mark extends { readonly wd: number }>(slots: (Mark | null)[], mark: Mark): void {
  const last = slots.length - 1;
  let slot = mark.wd & last;
  while (slots[slot] !== null) slot = (slot + 1) & last;
  slots[slot] = mark;
}
