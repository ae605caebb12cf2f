/** Waiting, but not for ever. */

/** Wait for it, but no longer: a disk may not answer. */
export async function within(
  milliseconds: number,
  promise: Promise<unknown> | undefined,
): Promise<void> {
  if (promise === undefined) return;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  await Promise.race([promise, over]);
  clearTimeout(timer);
}
