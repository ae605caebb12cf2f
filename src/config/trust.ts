/** Whether root may follow a file: nobody else may be able to write it. */

/** Why root must not follow what is in a file, and the cure; null if it may, or if we are not root. */
export function distrustOf(_path: string): string | null {
  return null;
}
