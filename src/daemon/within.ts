/** Waiting, but not for ever. */

/** Wait for it, but no longer: a disk may not answer. @returns whether it came in time */
export async function within(
  milliseconds: number,
  promise: Promise<unknown> | undefined,
): Promise<boolean> {
  if (promise === undefined) return true;
  const { promise: over, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), milliseconds);
  const isInTime = await Promise.race([promise.then(() => true), over]);
  clearTimeout(timer);
  return isInTime;
}
