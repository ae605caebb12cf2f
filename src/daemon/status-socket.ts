/** The socket by which `facron status` asks: one for each facron, for its own user and root. */
import type { Socket, UnixSocketListener } from "bun";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { utf8 } from "../../ffi/bytes.ts";

/** What a client sends; the answer is one line of JSON, and then the end. */
export const statusRequest = "status\n";

/** Whoever asks has so long for all of it: question, answer, and reading that. */
const clientMs = 5_000;
const clientsMax = 16;

/** Not even its owner need run it, and nobody else may connect (unix(7)). */
const umaskForSocket = 0o177;

export interface StatusSocketOptions {
  /** Absolute; it is made if it is not there. */
  readonly path: string;
  readonly directory: string;
  /** One line. */
  readonly answer: () => Promise<string>;
}

/** Closed by its scope; it does not keep the program running. */
export class StatusSocket implements Disposable {
  readonly #listener: UnixSocketListener<Client | undefined>;
  readonly #path: string;
  readonly #clients = new Set<Client>();

  /**
   * It gets its name when it can be connected to: whoever finds it dead may take it away. What had that
   * name before was of another process with our pid.
   *
   * @throws {Error} with a code of mkdir(2), bind(2) or rename(2)
   */
  constructor({ path, directory, answer }: StatusSocketOptions) {
    const unnamed = `${directory}/.${process.pid}.new`;
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    rmSync(unnamed, { force: true });
    const umask = process.umask(umaskForSocket);
    try {
      this.#listener = this.#listen(unnamed, answer);
    } finally {
      process.umask(umask);
    }
    this.#path = path;
    try {
      renameSync(unnamed, path);
    } catch (error) {
      this.#listener.stop(true);
      rmSync(unnamed, { force: true });
      throw error;
    }
  }

  #listen(path: string, answer: () => Promise<string>): UnixSocketListener<Client | undefined> {
    const listener = Bun.listen<Client | undefined>({
      unix: path,
      allowHalfOpen: true, // a client may have said all that it has to say
      socket: {
        open: (socket) => {
          if (this.#clients.size >= clientsMax) return void socket.terminate();
          const client = new Client(socket, answer);
          socket.data = client;
          this.#clients.add(client);
        },
        data: ({ data: client }, bytes) => client?.take(bytes),
        end: ({ data: client }) => client?.saidAll(),
        drain: ({ data: client }) => client?.writeRest(),
        close: ({ data: client }) => this.#forget(client),
        error: ({ data: client }) => this.#forget(client),
      },
    });
    listener.unref();
    return listener;
  }

  /** @param client undefined: there were too many */
  #forget(client: Client | undefined): void {
    if (client === undefined) return;
    client.close();
    this.#clients.delete(client);
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { force: true });
    this.#listener.stop(true);
  }
}

class Client {
  readonly #socket: Socket<Client | undefined>;
  readonly #answer: () => Promise<string>;
  readonly #timer: Timer;
  #asked = "";
  #isAnswered = false;
  #isClosed = false;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(socket: Socket<Client | undefined>, answer: () => Promise<string>) {
    this.#socket = socket;
    this.#answer = answer;
    this.#timer = setTimeout(() => socket.terminate(), clientMs);
    this.#timer.unref();
  }

  take(bytes: Uint8Array): void {
    if (this.#isAnswered) return;
    this.#asked += Buffer.from(bytes.subarray(0, statusRequest.length)).toString("latin1");
    if (this.#asked === statusRequest) void this.#tell();
    else if (!statusRequest.startsWith(this.#asked)) this.#socket.terminate();
  }

  /** Nothing more will come. */
  saidAll(): void {
    if (!this.#isAnswered) this.#socket.terminate();
  }

  async #tell(): Promise<void> {
    this.#isAnswered = true;
    this.#rest = utf8(`${await this.#answer()}\n`);
    this.writeRest();
  }

  /** As much as the socket takes. */
  writeRest(): void {
    if (this.#isClosed || this.#rest.length === 0) return;
    const written = this.#socket.write(this.#rest);
    this.#rest = this.#rest.subarray(Math.max(written, 0));
    if (this.#rest.length === 0) this.#socket.end();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}
