/** What there is instead of a family: a family is said by the pid of the command of ours that it descends from. */

/** Somebody did it who is no command of ours. */
export const noFamily = 0;
/** Who did it is not known: the kernel did not say, or that process has gone. */
export const unknownFamily = -1;
