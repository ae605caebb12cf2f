/** Users that rules are about and the system does not know: said at the start and at each reload. */
import { accountNames, findAccount } from "../../ffi/users.ts";
import { unknownActor } from "../config/unknown-user.ts";
import { quoted } from "../log.ts";
import { usersOf } from "../rule/actor.ts";
import type { Rule } from "../rule/rule.ts";

/** A sentence for each. */
export function unknownActors(rules: readonly Rule[]): string[] {
  return rules.flatMap(({ name, actor }) => {
    const users = actor === undefined ? [] : usersOf(actor);
    const messages = users.flatMap(
      (user) => unknownActor(user, { findAccount, accountNames }) ?? [],
    );
    return messages.map((message) => `${message} (rule ${quoted(name)})`);
  });
}
