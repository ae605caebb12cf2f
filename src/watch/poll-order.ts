/**
 * The order in which the names that one round found changed are told: replayed in it, they lead from the
 * tree of the last look to the one of this look. So a name is free before another file gets it, a directory
 * is there before what is in it, and empty before it is deleted.
 */
import { latin1 } from "../../ffi/bytes.ts";
import type { Place } from "./backend.ts";
import type { Node } from "./tree.ts";

/** What is told at once of a name, or of two. */
export interface Step {
  /** Names that nothing has after it, and had something before. */
  readonly frees: readonly Place[];
  /** Names that nothing had before it. */
  readonly takes: readonly Place[];
  /** Directories that come to be, move, or end by it. */
  readonly creates: readonly Node[];
  readonly moves: readonly Node[];
  readonly deletes: readonly Node[];
  readonly tell: () => void;
}

/** Every step after those that it needs; else as they were. What needs each other, as an exchange of names, is as it was. */
export function inOrder(steps: readonly Step[]): Step[] {
  const needs = new Needs(steps);
  const told: Step[] = [];
  const seen = new Set<Step>();
  for (const first of steps) {
    const stack = [{ step: first, needed: [first], next: 0 }];
    // No recursion: names that shift by one make a chain as long as the list of them.
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const step = top.needed[top.next++];
      if (step === undefined) {
        stack.pop();
        if (stack.length > 0) told.push(top.step);
      } else if (!seen.has(step)) {
        seen.add(step);
        stack.push({ step, needed: needs.of(step), next: 0 });
      }
    }
  }
  return told;
}

/** Steps by what they do, while the tree is still the one of the last look. */
class Needs {
  readonly #freeing = new Map<string, Step>();
  readonly #creating = new Map<Node, Step>();
  readonly #moving = new Map<Node, Step>();
  readonly #beforeDeletion = new Map<Step, Step[]>();

  constructor(steps: readonly Step[]) {
    const deleting = new Map<Node, Step>();
    for (const step of steps) {
      for (const place of step.frees) this.#freeing.set(placeKey(place), step);
      for (const node of step.creates) this.#creating.set(node, step);
      for (const node of step.moves) this.#moving.set(node, step);
      for (const node of step.deletes) deleting.set(node, step);
    }
    if (deleting.size === 0) return;
    for (const step of steps)
      for (const { node } of step.frees)
        for (let at: Node | null = node; at !== null; at = at.parent) {
          const end = deleting.get(at);
          if (end === undefined || end === step) continue;
          this.#beforeDeletion.set(end, [...(this.#beforeDeletion.get(end) ?? []), step]);
        }
  }

  of(step: Step): Step[] {
    const needed = [...(this.#beforeDeletion.get(step) ?? [])];
    for (const place of step.takes) {
      const freeing = this.#freeing.get(placeKey(place));
      const creating = this.#creating.get(place.node);
      const leaving = step.moves.length > 0 ? this.#leaving(place.node, step) : undefined;
      for (const one of [creating, leaving, freeing]) if (one !== undefined) needed.push(one);
    }
    return needed.filter((one) => one !== step);
  }

  /** What a directory moves into may have been in it, and has to leave it first. */
  #leaving(target: Node, { moves }: Step): Step | undefined {
    let leaving: Step | undefined;
    for (let at: Node | null = target; at !== null; at = at.parent) {
      if (moves.includes(at)) return leaving;
      leaving ??= this.#moving.get(at);
    }
    return undefined;
  }
}

/** One name in one directory of the tree. */
export function placeKey({ node, name }: Place): string {
  return `${node.id}/${latin1(name)}`;
}
