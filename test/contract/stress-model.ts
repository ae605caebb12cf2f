/** What the writers did, and whether what facron told is true of it. */
import { basename } from "node:path";
import type { EventLine } from "../helpers/run-binary.ts";
import type { Batch, Left } from "./stress-writer.ts";

type Noted = readonly [what: string, path: string, other?: string | boolean, isDirectory?: boolean];

/** The kinds of faults. */
export const wrongPath = "wrong path";
export const doubled = "doubled";

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
  /** "EVENT NAME" of files in directories that facron had told of, with how often at least it is told. */
  readonly #sure = new Map<string, { times: number; intervals: Set<number> }>();
  #interval = 0;
  operations = 0;

  /** facron has told all that was added so far. */
  sync(): void {
    this.#interval++;
  }

  /** @param writer file numbers are its own */
  add(writer: string, { done, moved, made, back, sure }: Batch): void {
    for (const { file, path } of made) this.#at(writer, file, path);
    for (const { file, path } of moved) {
      if (file === null) this.#paths.add(`${path}/`);
      else this.#at(writer, file, path);
    }
    for (const file of back) this.#files.get(`${writer} ${file}`)!.arrivals++;
    for (const one of done) this.#note(...(one as Noted));
    for (const at of sure) this.#noteSure(...(done[at]! as Noted));
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

  #noteSure(...[what, path, other]: Noted): void {
    for (const event of toldOf[what] ?? []) {
      const key = `${event} ${basename(what === "rename" ? String(other) : path)}`;
      const sure = this.#sure.get(key) ?? { times: 0, intervals: new Set() };
      this.#sure.set(key, sure);
      sure.times++;
      sure.intervals.add(this.#interval);
    }
  }

  /**
   * What the kernel must have had a record of and no line tells, wherever: paths are another question.
   *
   * @param merges as for `faultsOf`: once for all that came before facron read is enough
   */
  lostOf(lines: readonly EventLine[], { merges }: { readonly merges: boolean }): string[] {
    const told = countsByName(lines);
    return [...this.#sure].flatMap(([key, { times, intervals }]) => {
      const least = merges ? intervals.size : times;
      const count = told.get(key) ?? 0;
      return count < least ? [`${key}: ${count} times, not ${least}`] : [];
    });
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
      const isReal = line["synthetic"] === undefined;
      const things = line.events.map((event) => thingOf(line, event));
      if (!this.#paths.has(`${line.path}${slashOf(line)}`))
        faults.add(wrongPath, `never was there: ${JSON.stringify(line)}`);
      else if (isReal && !merges && !things.every((thing) => this.#happened.has(thing)))
        faults.add(wrongPath, `never happened there: ${JSON.stringify(line)}`);
      if (isReal) for (const thing of things) told.set(thing, (told.get(thing) ?? 0) + 1);
    }
    for (const [what, count] of told) {
      // Writes come in two pieces, and a truncation is one more.
      const most = (this.#happened.get(what) ?? 0) * (what.startsWith("modify ") ? 3 : 1);
      if (!merges && most > 0 && count > most)
        faults.add(doubled, `${what}: ${count} times, not ${most}`);
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
      if (texts.length > 1 + story.arrivals) faults.add(doubled, `created: ${texts.join("\n  ")}`);
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

/** As `#happened` has it. */
function thingOf(line: EventLine, event: string): string {
  const from = line["from"] === undefined ? "" : ` from ${String(line["from"])}${slashOf(line)}`;
  return `${event} ${line.path}${slashOf(line)}${from}`;
}

function slashOf(line: EventLine): string {
  return line["dir"] === true ? "/" : "";
}

/** The events that a file's operation certainly makes; a rename may be told as its second half. */
const toldOf: Readonly<Record<string, readonly string[]>> = {
  write: ["create", "close_write"],
  append: ["close_write"],
  unlink: ["delete"],
  rename: ["rename"],
};

function countsByName(lines: readonly EventLine[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { events, path } of lines) {
    for (const event of events) {
      const key = `${event === "moved_to" ? "rename" : event} ${basename(path ?? "")}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return counts;
}

/** A few of each kind tell enough. */
export class Faults {
  readonly #kinds = new Map<string, string[]>();

  add(kind: string, what: string): void {
    this.#kinds.set(kind, [...(this.#kinds.get(kind) ?? []), what]);
  }

  count(...kinds: readonly string[]): number {
    return kinds.reduce((sum, kind) => sum + (this.#kinds.get(kind)?.length ?? 0), 0);
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
