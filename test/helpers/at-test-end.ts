/** What a test opened is closed at its end, also when it fails, times out or forgets `using`. */
import { afterAll, onTestFinished } from "bun:test";

type Clean = () => void | Promise<void>;

const waiting: Clean[] = [];

/**
 * Call `clean` when the running test has ended; what came last goes first.
 *
 * At the top of a file or a describe block it is called after the last test of that block. Not for
 * `beforeAll` (bun ends a "test" there, and it would be called at once) nor for concurrent tests.
 */
export function atTestEnd(clean: Clean): void {
  if (inTest()) waiting.push(clean);
  else afterAll(clean);
}

/** Registers the run of everything that waits, once for each test. */
function inTest(): boolean {
  if (waiting.length > 0) return true;
  try {
    onTestFinished(cleanAll);
    return true;
  } catch {
    return false; // outside of a test
  }
}

/** Every one gets its turn, then the first failure is told. */
async function cleanAll(): Promise<void> {
  const failures: unknown[] = [];
  for (let clean = waiting.pop(); clean !== undefined; clean = waiting.pop()) {
    try {
      await clean();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
