/** Which processes a rule is for, in plain words. */
import { quoted } from "../log.ts";
import { type ActorTraits, isFilter, type WrittenActorWish } from "../rule/actor.ts";

/** `only if done by exe "/usr/bin/vim*" and uid "1000", not by comm "backup" or "rsync"` */
export function describeActor(wish: WrittenActorWish): string {
  if (!isFilter(wish)) return "tells who did it";
  const only = traits(wish.only).join(" and ");
  const not = traits(wish.not).join(" or by ");
  if (only === "") return `not if done by ${not}`;
  return `only if done by ${only}${not === "" ? "" : `, and not by ${not}`}`;
}

function traits({ exe, comm, uid }: ActorTraits<string>): string[] {
  return [...said("exe", exe), ...said("comm", comm), ...said("uid", uid)];
}

function said(name: string, values: readonly string[] | undefined): string[] {
  return values === undefined ? [] : [`${name} ${values.map(quoted).join(" or ")}`];
}
