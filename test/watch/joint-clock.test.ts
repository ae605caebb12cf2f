/** Records of several queues on one clock, against what is known of each queue. */
import { describe, expect, test } from "bun:test";
import { JointClock, type Queue } from "../../src/watch/joint-clock.ts";
import { seededRandom } from "../contract/random.ts";

class FakeQueue implements Queue {
  end = 0;
  position = 0;
}

/** A look, and how far each queue went then. */
interface Look {
  readonly at: number;
  readonly ends: readonly number[];
}

describe("JointClock", () => {
  test("counts on where the first queue was", () => {
    const first = Object.assign(new FakeQueue(), { end: 100, position: 40 });
    const clock = new JointClock([first, new FakeQueue()]);
    expect([clock.position, clock.end]).toEqual([40, 100]);
    first.position = 64;
    expect(clock.positionIn(0)).toBe(64);
  });

  test("a record is behind the looks before it, and up to those after it, in every queue", () => {
    const random = seededRandom();
    const queues = [new FakeQueue(), new FakeQueue(), new FakeQueue()];
    const clock = new JointClock(queues);
    const looks: Look[] = [];
    const last = queues.map(() => -1);
    for (let step = 0; step < 3000; step++) {
      const at = random.below(3);
      const queue = queues[at]!;
      if (random.below(2) === 0) queue.end += 24 * random.below(3);
      if (random.below(4) === 0) looks.push({ at: clock.end, ends: queues.map(({ end }) => end) });
      if (random.below(3) > 0) continue;
      while (queue.position < queue.end && random.below(8) > 0) {
        queue.position += 24;
        const position = clock.positionIn(at);
        expect(position).toBeGreaterThan(last[at]!);
        last[at] = position;
        for (const look of looks.slice(-16))
          expect(position > look.at).toBe(queue.position > look.ends[at]!);
        const delivered = queues.map((one, i) => one.position - (i === at ? 24 : 0));
        const passed = clock.passedIn(at);
        for (const look of looks.slice(-16)) if (look.at <= passed) expectPassed(look, delivered);
      }
      clock.forget();
      const { position } = clock;
      const delivered = queues.map((one) => one.position);
      for (const look of looks.slice(-16)) {
        if (look.at <= position) expectPassed(look, delivered);
        else expect(look.ends.some((end, i) => end > delivered[i]!)).toBe(true);
      }
    }
    expect(looks.length).toBeGreaterThan(500);
  }, 30_000);
});

function expectPassed({ ends }: Look, delivered: readonly number[]): void {
  expect(ends.every((end, i) => end <= delivered[i]!)).toBe(true);
}
