/** Rules, runs and triggers for tests of the loop guard: time goes only when it is told to. */
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { eventBits, type SyntheticReason } from "../../src/event.ts";
import { type Judgement, LoopGuard } from "../../src/action/loop-guard.ts";
import type { PastRun } from "../../src/action/run-history.ts";
import { noFamily, unknownFamily } from "../../src/family/family.ts";
import type { Trigger } from "../../src/reader/trigger.ts";
import { defaultPolicy } from "../../src/rule/policy.ts";
import type { Rule } from "../../src/rule/rule.ts";
import { MemoryLog } from "./support.ts";

export function ruleCalled(name: string, more: Partial<Rule> = {}): Rule {
  return { name, watch: [], backend: "auto", condition: [], command: { words: [] }, ...more };
}

export function allowing(name: string): Rule {
  return ruleCalled(name, { policy: { ...defaultPolicy, loop: "allow" } });
}

export interface Happening {
  readonly path: string;
  /** Who did it: a run, or `noFamily`; absent: nobody knows. */
  readonly by?: Pick<PastRun, "pid"> | typeof noFamily;
  readonly from?: string;
  readonly events?: number;
  readonly synthetic?: SyntheticReason;
  /** Read so many milliseconds ago. */
  readonly agoMs?: number;
  /** 0: the kernel tells of no process at all (inotify). */
  readonly pid?: number;
}

export class World {
  readonly log = new MemoryLog();
  /** What was let go after a suspension. */
  readonly released: { readonly rule: string; readonly path: string }[] = [];
  /** Sequence numbers of what was not, as a later one stands for it. */
  readonly superseded: number[] = [];
  nowMs = 1_000_000;
  #seq = 0;
  #runs = 0;
  #timers: { at: number; then: () => void }[] = [];
  readonly guard = new LoopGuard({
    log: this.log,
    now: () => this.nowMs,
    later: (ms, then) => void this.#timers.push({ at: this.nowMs + ms, then }),
    onSuperseded: ({ seq }) => void this.superseded.push(seq),
    release: (rule, { path }) => void this.released.push({ rule: rule.name, path: latin1(path) }),
  });

  /** Time goes on, and what is due is done. */
  pass(ms: number): void {
    this.nowMs += ms;
    const due = this.#timers.filter(({ at }) => at <= this.nowMs);
    this.#timers = this.#timers.filter(({ at }) => at > this.nowMs);
    for (const { then } of due) then();
  }

  judge(rule: Rule, happening: Happening): Judgement {
    return this.guard.judge(rule, this.trigger(happening), happening.path);
  }

  trigger({ path, by, from = "", events, synthetic, agoMs = 0, pid = 4711 }: Happening): Trigger {
    return {
      ...{ rule: 0, isSelf: false, isDirectory: false, pid, actor: null, ticket: 0 },
      events: events ?? eventBits.close_write,
      seq: ++this.#seq,
      time: (this.nowMs - agoMs) * 1000,
      synthetic: synthetic ?? null,
      family: by === undefined ? unknownFamily : by === noFamily ? noFamily : by.pid,
      path: utf8(path),
      from: utf8(from),
    };
  }

  /** A command starts. @param of whose verdict it follows; absent: one from outside */
  start(rule: Rule, path: string, of?: Judgement, pid = 10_000 + this.#runs): PastRun {
    this.#runs++;
    const causes = of?.verdict === "run" ? of.causes : [];
    const startedAt = this.nowMs * 1000;
    return this.guard.began({ rule: rule.name, paths: [path], pid, startedAt, causes });
  }

  /** It has ended, and what was queued by then has been read. */
  end(run: PastRun): void {
    this.guard.readUpAfter(run, this.#seq);
  }

  get errors(): string[] {
    return this.log.lines.filter((line) => line.startsWith("error: "));
  }
}
