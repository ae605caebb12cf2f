/** Where a backend leaves the descriptor of who did it, while it delivers the record. */
export interface ActorDesk {
  /** The records that follow were read together, before now. */
  beginRead(): void;

  /**
   * The records delivered until `endRecord` are of this process.
   *
   * @param pidfd the desk's to close; negative if the kernel could give none
   */
  beginRecord(pid: number, pidfd: number): void;

  endRecord(): void;
}
