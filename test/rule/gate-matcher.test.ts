/** Which gate decides: order, places, names, kinds, sizes, who asks; paths in, an index out. */
import { describe, expect, test } from "bun:test";
import { fromLatin1, utf8 } from "../../ffi/bytes.ts";
import { type ActorFacts, unknownActor } from "../../src/rule/actor.ts";
import { gateBits, type PlannedGate } from "../../src/rule/gate.ts";
import { type GatedClaim, GateMatcher } from "../../src/rule/gate-matcher.ts";
import type { FileFacts } from "../../src/rule/subject.ts";

const patterns = (...texts: string[]): readonly Uint8Array[] => texts.map(utf8);

function gate(some: Partial<PlannedGate> = {}): PlannedGate {
  return {
    ...{ name: "a gate", scope: "tree", events: gateBits.open_perm, children: true },
    ...{ directories: false, decision: { kind: "deny" }, audit: false, errno: 0 },
    ...some,
  };
}

interface Root {
  readonly path: string;
  /** Of a directory: false for a file. */
  readonly isDirectory?: boolean;
  readonly claims?: readonly Partial<GatedClaim>[];
}

/** Each root is claimed by gate 0, and recursively, unless it says otherwise. */
function matcher(gates: readonly PlannedGate[], ...roots: readonly (Root | string)[]): GateMatcher {
  const made = new GateMatcher(gates);
  for (const one of roots) {
    const {
      path,
      isDirectory = true,
      claims = [{}],
    } = typeof one === "string" ? { path: one } : one;
    const whole = claims.map((claim) => {
      return { gate: 0, recursive: true, skipsHidden: false, names: null, ...claim };
    });
    made.setRoot(path, { path: fromLatin1(path), isDirectory, claims: whole });
  }
  return made;
}

interface Asked {
  readonly events?: number;
  readonly facts?: FileFacts | null;
  readonly actor?: ActorFacts;
}

const file: FileFacts = { type: "file", size: 5 };
const directory: FileFacts = { type: "dir", size: 4096 };

/** What is behind the path must not count. */
const rest = "/and what the buffer had before";

function match(
  made: GateMatcher,
  path: string,
  { events, facts = file, actor }: Asked = {},
): number {
  const question = {
    events: events ?? gateBits.open_perm,
    facts: () => facts,
    actor: () => actor ?? unknownActor,
  };
  return made.match(fromLatin1(path + rest), path.length, question);
}

describe("a gate is about what is", () => {
  test("in its directory, and with recursive in those below", () => {
    const flat = matcher([gate()], { path: "/srv/in", claims: [{ recursive: false }] });
    const deep = matcher([gate()], "/srv/in");
    expect(match(flat, "/srv/in/a")).toBe(0);
    expect(match(flat, "/srv/in/b/a")).toBe(-1);
    expect(match(deep, "/srv/in/b/c/a")).toBe(0);
  });

  test("not beside it, above it, or in what has a longer name", () => {
    const made = matcher([gate()], "/srv/in");
    const paths = ["/srv/a", "/srv/inn/a", "/srv/i", "/a", "/srv/in.bak", "/in/a"];
    expect(paths.map((path) => match(made, path))).toEqual(paths.map(() => -1));
  });

  test("the file that it names, and no other one in that directory", () => {
    const made = matcher([gate()], { path: "/etc/shadow", isDirectory: false });
    expect(match(made, "/etc/shadow")).toBe(0);
    expect(match(made, "/etc/shadow-")).toBe(-1);
    expect(match(made, "/etc/shado")).toBe(-1);
    expect(match(made, "/etc/shadow/a")).toBe(-1);
  });

  test("only its directory if children do not count (a facron table)", () => {
    const made = matcher([gate({ children: false, directories: true })], "/srv/in");
    expect(match(made, "/srv/in", { facts: directory })).toBe(0);
    expect(match(made, "/srv/in/a")).toBe(-1);
  });

  test("anywhere, if its directory is /", () => {
    const made = matcher([gate()], "/");
    expect(match(made, "/a")).toBe(0);
    expect(match(made, "/a/b/c")).toBe(0);
  });

  test("right in /, if that is all it is about", () => {
    const made = matcher([gate()], { path: "/", claims: [{ recursive: false }] });
    expect(match(made, "/a")).toBe(0);
    expect(match(made, "/a/b")).toBe(-1);
  });

  test("not in directories with a dot, if it stays out of those; files with one count", () => {
    const made = matcher([gate()], { path: "/srv/.in", claims: [{ skipsHidden: true }] });
    expect(match(made, "/srv/.in/a")).toBe(0);
    expect(match(made, "/srv/.in/.a")).toBe(0);
    expect(match(made, "/srv/.in/.git/a")).toBe(-1);
    expect(match(made, "/srv/.in/b/.git/c/a")).toBe(-1);
  });

  test("called as the last component of its pattern, right in that directory", () => {
    const made = matcher([gate()], { path: "/srv", claims: [{ names: utf8("*.{sh,py}") }] });
    expect(match(made, "/srv/a.sh")).toBe(0);
    expect(match(made, "/srv/b.py")).toBe(0);
    expect(match(made, "/srv/a.txt")).toBe(-1);
    expect(match(made, "/srv/b/a.sh")).toBe(-1);
  });

  test("called by bytes that are not UTF-8", () => {
    const made = matcher([gate({ filter: { include: [fromLatin1("\xff*")] } })], "/srv/\xe9");
    expect(match(made, "/srv/\xe9/\xff\xfe")).toBe(0);
    expect(match(made, "/srv/\xe8/\xff\xfe")).toBe(-1);
    expect(match(made, "/srv/\xe9/\xfe\xff")).toBe(-1);
  });
});

describe("filters", () => {
  test("include and exclude go by the path below the root", () => {
    const filter = { include: patterns("*.exe", "bin/**"), exclude: patterns("kept/") };
    const made = matcher([gate({ filter })], "/srv/in");
    expect(match(made, "/srv/in/a.exe")).toBe(0);
    expect(match(made, "/srv/in/bin/x/tool")).toBe(0);
    expect(match(made, "/srv/in/a.txt")).toBe(-1);
    expect(match(made, "/srv/in/kept/a.exe")).toBe(-1);
  });

  test("type, min_size and max_size are about the file as it is", () => {
    const filter = { types: ["file"] as const, minSize: 3, maxSize: 10 };
    const made = matcher([gate({ filter })], "/srv");
    const ofSize = (size: number) => match(made, "/srv/a", { facts: { type: "file", size } });
    expect([2, 3, 10, 11].map(ofSize)).toEqual([-1, 0, 0, -1]);
    expect(match(made, "/srv/a", { facts: { type: "other", size: 5 } })).toBe(-1);
  });

  test("directories count only for a gate that has them", () => {
    const made = matcher([gate({ directories: true, filter: { types: ["dir"] } }), gate()], {
      path: "/srv",
      claims: [{ gate: 0 }, { gate: 1 }],
    });
    expect(match(made, "/srv/d", { facts: directory })).toBe(0);
    expect(match(made, "/srv/d")).toBe(1);
    const onlyFiles = matcher([gate(), gate({ directories: true })], {
      path: "/srv",
      claims: [{ gate: 0 }, { gate: 1 }],
    });
    expect(match(onlyFiles, "/srv/d", { facts: directory })).toBe(1);
  });

  test("who asks: what is not known of an actor fits nothing", () => {
    const made = matcher(
      [gate({ actor: { only: { uid: [33], exe: ["/usr/bin/*"] }, not: {} } })],
      "/srv",
    );
    const www: ActorFacts = { comm: null, exe: utf8("/usr/bin/php"), uid: 33 };
    expect(match(made, "/srv/a", { actor: www })).toBe(0);
    expect(match(made, "/srv/a", { actor: { ...www, uid: 34 } })).toBe(-1);
    expect(match(made, "/srv/a", { actor: { ...www, exe: utf8("/usr/bin/x/php") } })).toBe(-1);
    expect(match(made, "/srv/a")).toBe(-1);
  });

  test("the file is not asked about, nor the actor, where no gate wants to know", () => {
    const made = matcher([gate({ filter: { include: patterns("*.exe") } })], "/srv");
    const never = (): never => {
      throw new Error("asked");
    };
    const question = { events: gateBits.open_perm, facts: never, actor: never };
    expect(made.match(utf8("/srv/a.exe"), 10, question)).toBe(0);
  });
});

describe("the first in the order of the file decides", () => {
  const gates = [
    gate({ filter: { include: patterns("*.ok") } }),
    gate({ events: gateBits.access_perm | gateBits.open_exec_perm }),
    gate(),
  ];

  test("among nested roots, whichever was told of first", () => {
    for (const order of [
      [2, 0],
      [0, 2],
    ]) {
      const roots = { 0: "/srv/in", 2: "/srv" } as Record<number, string>;
      const made = matcher(
        gates,
        ...order.map((index) => ({ path: roots[index]!, claims: [{ gate: index }] })),
      );
      expect(match(made, "/srv/in/a.ok")).toBe(0);
      expect(match(made, "/srv/in/a")).toBe(2);
      expect(match(made, "/srv/a.ok")).toBe(2);
    }
  });

  test("of those that decide about what is asked; of an event that none knows, none", () => {
    const claims = [{ gate: 0 }, { gate: 1 }, { gate: 2 }];
    const made = matcher(gates, { path: "/srv", claims });
    expect(match(made, "/srv/a", { events: gateBits.open_exec_perm })).toBe(1);
    expect(match(made, "/srv/a", { events: gateBits.pre_access })).toBe(-1);
    expect(match(made, "/srv/a", { events: 0 })).toBe(-1);
  });
});

describe("roots come and go", () => {
  test("what was known of a directory is forgotten with each", () => {
    const made = matcher([gate()], "/srv");
    expect(match(made, "/srv/a")).toBe(0);
    made.removeRoot("/srv");
    expect(match(made, "/srv/a")).toBe(-1);
    made.setRoot("/srv", { path: utf8("/mnt/srv"), isDirectory: true, claims: [] });
    expect(match(made, "/mnt/srv/a")).toBe(-1);
  });

  test("a root that has moved is where it is now", () => {
    const made = matcher([gate()], "/srv");
    const claims = [{ gate: 0, recursive: true, skipsHidden: false, names: null }];
    made.setRoot("/srv", { path: utf8("/mnt"), isDirectory: true, claims });
    expect(match(made, "/srv/a")).toBe(-1);
    expect(match(made, "/mnt/a")).toBe(0);
  });

  test("a claim of a gate that the plan does not have is nobody's", () => {
    const made = matcher([gate()], { path: "/srv", claims: [{ gate: 7 }] });
    expect(match(made, "/srv/a")).toBe(-1);
  });

  test("more directories than are remembered", () => {
    const made = matcher([gate({ filter: { exclude: patterns("no") } })], "/srv");
    for (let i = 0; i < 25_000; i++) {
      expect(match(made, `/srv/${i}/a`)).toBe(0);
      expect(match(made, `/srv/${i}/no`)).toBe(-1);
    }
  });
});

describe("a file whose directory cannot be told", () => {
  const anywhere = (
    made: GateMatcher,
    name: string,
    somewhere: "in a tree" | "anywhere" = "anywhere",
  ): number => {
    const question = { events: gateBits.open_perm, facts: () => file, actor: () => unknownActor };
    return made.matchAnywhere(utf8(name), utf8(name).length, question, somewhere);
  };

  test("is judged by its name as if it lay in each directory with a gate", () => {
    const gates = [gate({ filter: { include: patterns("*.no") } }), gate()];
    const made = matcher(
      gates,
      { path: "/srv", claims: [{ gate: 0 }] },
      { path: "/etc/shadow", isDirectory: false, claims: [{ gate: 1 }] },
    );
    expect(anywhere(made, "/elsewhere/a.no")).toBe(0);
    expect(anywhere(made, "/shadow")).toBe(1);
    expect(anywhere(made, "/passwd")).toBe(-1);
  });

  test("without any name, also by gates that ask for one", () => {
    const named = gate({ filter: { include: patterns("*.no") } });
    const patterned: Root = { path: "/srv", claims: [{ names: utf8("*.sh") }] };
    for (const name of ["", "/"]) {
      expect(anywhere(matcher([gate()], "/srv"), name)).toBe(0);
      expect(anywhere(matcher([named], "/srv"), name)).toBe(0);
      expect(anywhere(matcher([gate()], patterned), name)).toBe(0);
      expect(anywhere(matcher([gate()], { path: "/f", isDirectory: false }), name)).toBe(-1);
    }
  });

  test("by gates that include what is in some directory below theirs", () => {
    const named = gate({ filter: { include: patterns("/sub/*.no") } });
    expect(anywhere(matcher([named], "/srv"), "/a.no")).toBe(0);
  });

  test("first by one that denies, then by one that asks, and by none that allows", () => {
    const allow = gate({ decision: { kind: "allow" } });
    const onError = "allow";
    const ask = gate({
      decision: { kind: "ask", timeoutMs: 1, onTimeout: "deny", onError, cacheMs: 0, told: [] },
    });
    const strictest = (...gates: PlannedGate[]): number => {
      const claims = gates.map((_, at) => ({ gate: at }));
      return anywhere(matcher(gates, { path: "/srv", claims }), "/a");
    };
    expect(strictest(allow, ask, gate())).toBe(2);
    expect(strictest(allow, ask)).toBe(1);
    expect(strictest(allow)).toBe(-1);
    expect(strictest(allow, gate({ events: gateBits.access_perm }))).toBe(-1);
  });

  test("may be on a whole filesystem with a gate, if it is not outside of a container", () => {
    const made = matcher([gate({ scope: "filesystem" })], "/srv");
    expect(anywhere(made, "/a")).toBe(0);
    expect(anywhere(made, "/a", "in a tree")).toBe(-1);
  });
});
