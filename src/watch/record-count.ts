/** How much the kernel has told, counted for all queues of one interface together. */
export class RecordCount {
  /** Records that were read. */
  records = 0;
  /** How often a queue was full, and the kernel said that it has dropped some. */
  overflows = 0;
}
