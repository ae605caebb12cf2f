/** The lines of a stream, collected while the test does other things. */

export interface Lines {
  /** Complete lines, without their newlines. @throws {TypeError} once a byte was not UTF-8, if strict */
  readonly lines: readonly string[];
  /** What came after the last newline. */
  readonly rest: string;
  /** Nothing more will come. */
  readonly ended: boolean;
}

/**
 * @param stream anything that is no stream (a descriptor that was given away) has no lines
 * @param strict bytes that are not UTF-8 are a failure
 */
export function collectLines(stream: unknown, { strict }: { strict: boolean }): Lines {
  const collector = new LineCollector(strict);
  void (stream instanceof ReadableStream ? collector.collect(stream) : collector.end());
  return collector;
}

class LineCollector implements Lines {
  readonly #lines: string[] = [];
  readonly #decoder: TextDecoder;
  #rest = "";
  #failure: unknown = null;
  ended = false;

  constructor(strict: boolean) {
    this.#decoder = new TextDecoder("utf-8", { fatal: strict, ignoreBOM: true });
  }

  get lines(): readonly string[] {
    if (this.#failure !== null) throw this.#failure;
    return this.#lines;
  }

  get rest(): string {
    return this.#rest;
  }

  async collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    try {
      for await (const bytes of stream) this.#add(this.#decoder.decode(bytes, { stream: true }));
      this.#add(this.#decoder.decode());
    } catch (error) {
      this.#failure = error;
    }
    this.end();
  }

  end(): void {
    this.ended = true;
  }

  #add(text: string): void {
    const pieces = text.split("\n");
    pieces[0] = this.#rest + pieces[0]!;
    this.#rest = pieces.pop()!;
    for (const line of pieces) this.#lines.push(line);
  }
}
