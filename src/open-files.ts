/** RLIMIT_NOFILE: what is said when facron has no descriptor left. */

/** The state and the cure, after the colon: the limit is the one who starts facron's to set. */
export const openFilesText =
  "facron has as many files open as it may (RLIMIT_NOFILE)\n" +
  "  raise it before facron starts: ulimit -n 4096\n" +
  "  for good: LimitNOFILE=4096 in its systemd unit";
