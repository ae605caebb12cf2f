/** The exit codes, all of them. */
export const exitCode = {
  /** Ended as asked. */
  ok: 0,
  /** Failed while running. */
  failed: 1,
  /** A command line or a configuration that cannot be used. */
  usage: 2,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];
