/** Waiting for a condition with a deadline: what every test does in place of sleeping. */

export interface WaitOptions {
  /** For the error: "Waited 10000 ms for WHAT". */
  readonly what: string;
  readonly deadlineMs?: number;
  /** How things stood at the deadline, for the error. */
  readonly state?: () => string;
}

/**
 * Ask `condition` again and again until it is true, and give what it gave.
 *
 * What the condition throws ends the waiting at once.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { what, deadlineMs = 10_000, state }: WaitOptions,
): Promise<Exclude<T, false | null | undefined>> {
  const start = performance.now();
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 16)) {
    const value = await condition();
    if (happened(value)) return value;
    if (performance.now() - start > deadlineMs) break;
    await Bun.sleep(pauseMs);
  }
  const stood = state === undefined ? "" : `; it stood so:\n${state()}`;
  throw new Error(`Waited ${deadlineMs} ms for ${what}${stood}`);
}

function happened<T>(value: T): value is Exclude<T, false | null | undefined> {
  return value !== false && value !== null && value !== undefined;
}
