/** What the writers did, and whether what facron told is true of it. */
import { basename } from "node:path";
import type { EventLine } from "../helpers/run-binary.ts";
import type { Batch, Left } from "./stress-writer.ts";

type Noted = readonly [what: string, path: string, other?: string | boolean, isDirectory?: boolean];

/** Where one file has been, and how often it may be told of. */
interface FileStory {
  readonly paths: Set<string>;
  closes: number;
  /** How often it came to a place that facron may not know yet: it is told as created then. */
  arrivals: number;
}

export class StressModel {
  /** "EVENT PATH" or "rename PATH from PATH", with how often it happened. */
  readonly #happened = new Map<string, number>();
  /** Every path that something ever had, a directory's with a slash. */
  readonly #paths = new Set<string>();
  readonly #files = new Map<string, FileStory>();
  /** File names are used once: from the name to the file's story. */
  readonly #byName = new Map<string, FileStory>();
  operations = 0;

  /** @param writer file numbers are its own */
  add(writer: string, { done, moved, made, back }: Batch): void {
    for (const { file, path } of made) this.#at(writer, file, path);
    for (const { file, path } of moved) {
      if (file === null) this.#paths.add(`${path}/`);
      else this.#at(writer, file, path);
    }
    for (const file of back) this.#files.get(`${writer} ${file}`)!.arrivals++;
    for (const one of done) this.#note(...(one as Noted));
    this.operations += done.length;
  }

  #at(writer: string, file: number, path: string): void {
    const key = `${writer} ${file}`;
    const story = this.#files.get(key) ?? { paths: new Set(), closes: 0, arrivals: 0 };
    this.#files.set(key, story);
    story.paths.add(path);
    this.#paths.add(path);
    this.#byName.set(basename(path), story);
  }

  #note(...[what, path, other, isDirectory]: Noted): void {
    const count = (event: string): void => {
      this.#happened.set(event, (this.#happened.get(event) ?? 0) + 1);
    };
    const close = (): void => {
      this.#byName.get(basename(path))!.closes++;
      count(`modify ${path}`);
      count(`close_write ${path}`);
    };
    if (what === "mkdir") {
      this.#paths.add(`${path}/`);
      count(`create ${path}/`);
    } else if (what === "rmdir") count(`delete ${path}/`);
    else if (what === "unlink") count(`delete ${path}`);
    else if (what === "write") {
      count(`create ${path}`);
      close();
    } else if (what === "append") close();
    else if (what === "out") count(`moved_from ${path}/`);
    else if (what === "in") count(`moved_to ${path}/`);
    else if (what === "rename") {
      const slash = isDirectory ? "/" : "";
      count(`moved_from ${path}${slash}`);
      count(`moved_to ${String(other)}${slash}`);
      count(`rename ${String(other)}${slash} from ${path}${slash}`);
      if (isDirectory === false) this.#byName.get(basename(path))!.arrivals++;
    }
  }

  /**
   * What is wrong with the lines.
   *
   * @param merges the kernel adds an event to an earlier record of the same directory, name and process
   *   (fanotify): it is told under the path that the directory had then, so any path that was is right
   */
  faultsOf(lines: readonly EventLine[], { merges }: { readonly merges: boolean }): Faults {
    const faults = new Faults();
    const told = new Map<string, number>();
    for (const line of lines) {
      const text = JSON.stringify(line);
      for (const event of line.events) {
        const slash = line["dir"] === true ? "/" : "";
        const what = `${event} ${line.path}${slash}`;
        const from = line["from"] === undefined ? "" : ` from ${String(line["from"])}${slash}`;
        if (!this.#paths.has(`${line.path}${slash}`)) faults.add("never was there", text);
        else if (line["synthetic"] === undefined) {
          if (!merges && !this.#happened.has(what + from)) faults.add("never happened", text);
          told.set(what + from, (told.get(what + from) ?? 0) + 1);
        }
      }
    }
    for (const [what, count] of told) {
      // Writes come in two pieces, and a truncation is one more.
      const most = (this.#happened.get(what) ?? 0) * (what.startsWith("modify ") ? 3 : 1);
      if (!merges && most > 0 && count > most)
        faults.add("more often than it happened", `${what}: ${count}`);
    }
    this.#addFaultsOfFiles(lines, faults);
    return faults;
  }

  #addFaultsOfFiles(lines: readonly EventLine[], faults: Faults): void {
    const creates = new Map<FileStory, string[]>();
    for (const line of lines) {
      const story = this.#byName.get(basename(line.path ?? ""));
      if (story === undefined || !line.events.includes("create")) continue;
      creates.set(story, [...(creates.get(story) ?? []), JSON.stringify(line)]);
    }
    for (const [story, texts] of creates) {
      if (texts.length > 1 + story.arrivals) faults.add("created twice", texts.join("\n  "));
    }
  }

  /** Files that are left and of which no line says that they were written, or came, wherever it says they are. */
  untold(writer: string, left: Left, lines: readonly EventLine[]): string[] {
    const arrivals = ["close_write", "moved_to", "rename"];
    const told = new Set(
      lines
        .filter(({ events }) => events.some((event) => arrivals.includes(event)))
        .map(({ path }) => basename(path!)),
    );
    return left.files
      .filter(({ file }) => {
        const { paths } = this.#files.get(`${writer} ${file}`)!;
        return ![...paths].some((path) => told.has(basename(path)));
      })
      .map(({ path }) => {
        const about = lines.filter((line) => line.path?.endsWith(`/${basename(path)}`));
        return `${path}, but ${about.map((line) => JSON.stringify(line)).join("\n")}`;
      });
  }
}

/** A few of each kind tell enough. */
export class Faults {
  readonly #kinds = new Map<string, string[]>();

  add(kind: string, what: string): void {
    this.#kinds.set(kind, [...(this.#kinds.get(kind) ?? []), what]);
  }

  get count(): number {
    return [...this.#kinds.values()].reduce((sum, all) => sum + all.length, 0);
  }

  /** How many of each kind. */
  get summary(): string {
    return [...this.#kinds].map(([kind, all]) => `${all.length} ${kind}`).join(", ");
  }

  get examples(): string[] {
    return [...this.#kinds].flatMap(([kind, all]) => {
      const more = all.length > 5 ? [`${kind}: ${all.length - 5} more`] : [];
      return [...all.slice(0, 5).map((what) => `${kind}: ${what}`), ...more];
    });
  }
}
