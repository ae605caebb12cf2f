/** Progress and trouble, on stderr: stdout is for the tables. */
export function tell(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}
