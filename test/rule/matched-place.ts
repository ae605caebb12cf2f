/** A watched place with rules, on which the tests of the matcher let things happen. */
import { utf8 } from "../../ffi/bytes.ts";
import { eventBits, type EventName } from "../../src/event.ts";
import { JsonLines } from "../../src/output/json-lines.ts";
import { noFamilies } from "../../src/family/families.ts";
import { nobody } from "../../src/reader/actors.ts";
import { Dispatch } from "../../src/reader/dispatch.ts";
import { type Trigger, TriggerReader, TriggerWriter } from "../../src/reader/trigger.ts";
import { Interests } from "../../src/rule/matcher.ts";
import type { Alternative } from "../../src/rule/rule.ts";
import { type MatchedRule, RuleSet } from "../../src/rule/rule-set.ts";
import { viewRenamed } from "../../src/rule/view.ts";
import type { Backend, EventSink } from "../../src/watch/backend.ts";
import { RealDisk } from "../../src/watch/disk.ts";
import { addNode, type Mark, Node } from "../../src/watch/tree.ts";
import type { WatchTable } from "../../src/watch/watch-table.ts";

export function bits(names: string): number {
  const words = names.split(/[ ,]+/).filter((name) => name !== "");
  return words.reduce((all, name) => all | eventBits[name as EventName], 0);
}

interface Sees {
  readonly children?: boolean;
  readonly directories?: boolean;
}

/** `"create,modify | delete"`: any of the first two, and a delete. */
export function allOf(
  text: string,
  { children = true, directories = false }: Sees = {},
): Alternative {
  return { groups: text.split("|").map(bits), children, directories };
}

export function rule(
  name: string,
  alternatives: readonly Alternative[],
  { watch = "/d", runs = false } = {},
): MatchedRule {
  return { name, watch: [{ path: utf8(watch), recursive: false }], condition: alternatives, runs };
}

interface Line {
  readonly rules: string[];
  readonly events: string[];
  readonly path: string;
}

/** A watched directory `/d`, its rules, and the way that records take from a backend to lines. */
export class Place {
  readonly #lines = new JsonLines(1024);
  readonly #triggers = new TriggerWriter();
  readonly #dispatch: Dispatch;
  readonly #mark: Mark = { isDirectory: true, identity: null, nodes: [], names: null, mask: 0 };
  readonly node: Node;
  rules: RuleSet;

  constructor(rules: readonly MatchedRule[]) {
    this.rules = new RuleSet(rules);
    this.#lines.setTime(0);
    this.#dispatch = new Dispatch(this.#lines, this.#triggers, {
      linesAreMany: () => {},
      overflow: () => {},
      entrySeen: () => {},
      ignoreFileChanged: () => {},
      disk: new RealDisk({ warn() {} }),
      actors: nobody,
      families: noFamilies,
    });
    const path = utf8("/d");
    const root = {
      path,
      top: this.#interests(),
      below: null,
      belowHidden: null,
      isStrict: false,
      node: null,
      namesSubdirectories: true,
      noticesNames: false,
      scope: "tree" as const,
    };
    this.node = new Node(root, this.#mark, { parent: null, name: path });
    addNode(this.#mark, this.node);
    this.#dispatch.setRules(this.rules);
  }

  reload(rules: readonly MatchedRule[]): void {
    this.rules = new RuleSet(rules, this.rules);
    this.node.root.top = this.#interests();
    this.#dispatch.setRules(this.rules);
  }

  /** Something in the directory. @returns the lines it made */
  child(events: string, name = "f", { isDirectory = false, isRenamed = false } = {}): Line[] {
    const bytes = utf8(`..${name}.`);
    return this.#read((sink) => {
      const end = bytes.length - 1;
      sink.child(
        this.node,
        bits(events),
        isDirectory,
        bytes,
        2,
        end,
        7,
        isRenamed ? viewRenamed : 0,
      );
    });
  }

  self(events: string, { isDirectory = true } = {}): Line[] {
    return this.#read((sink) => sink.self(this.node, bits(events), isDirectory, 7));
  }

  renamed(from: string, to: string): Line[] {
    const place = (name: string) => ({ node: this.node, name: utf8(name) });
    return this.#read((sink) =>
      sink.renamed({ from: place(from), to: place(to), isDirectory: false, pid: 7 }),
    );
  }

  overflow(): Line[] {
    return this.#read((sink) => sink.overflow({ name: "inotify" } as Backend));
  }

  triggers(): Trigger[] {
    const reader = new TriggerReader(this.#triggers.take());
    const all: Trigger[] = [];
    for (let one = reader.take(); one !== null; one = reader.take()) all.push(one);
    return all;
  }

  #interests(): Interests {
    const list = this.rules.rules.map((_, index) => ({ rule: index, self: true, children: true }));
    return new Interests(this.rules, list);
  }

  #read(deliver: (sink: EventSink) => void): Line[] {
    const backend = { read: (sink: EventSink) => (deliver(sink), 1) };
    const ignore = () => {};
    const table = {
      backend,
      serves: "rules",
      noticeName: ignore,
      checkRoot: ignore,
      afterRead: ignore,
      told: { note: ignore },
    };
    this.#dispatch.read(table as unknown as WatchTable);
    const text = new TextDecoder().decode(this.#lines.take());
    const lines = text.split("\n").filter((line) => line !== "");
    return lines.map((line) => {
      const { rules = [], events, path = "" } = JSON.parse(line);
      return { rules, events, path };
    });
  }
}

/** Which rules the lines name, "" for no line. */
export function met(lines: readonly Line[]): string {
  return lines.map(({ rules }) => rules.join("+")).join(" ");
}
