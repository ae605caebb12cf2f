/** One benchmark at a time: two would slow each other, and put back each other's queue limits. */

/**
 * Hold a name that the kernel frees when this process is gone, however it goes: an abstract socket
 * (unix(7)), where a lock file would outlive a SIGKILL.
 *
 * @throws {Error} when another benchmark has it
 */
export function beTheOnlyOne(): void {
  try {
    Bun.listen({ unix: "\0facron-bench", socket: { data() {} } }).unref();
  } catch (error) {
    throw new Error("Cannot start: another benchmark is running", { cause: error });
  }
}
