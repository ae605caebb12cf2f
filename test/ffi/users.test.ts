import { describe, expect, test } from "bun:test";
import { accountNames, findAccount } from "../../ffi/users.ts";
import { addAccount, needsAccounts } from "../helpers/account.ts";
import { requires } from "../helpers/requires.ts";

const few = addAccount();
const many = addAccount({ groups: 70 }); // more than the first guess of `groupsOf`

/** Sorted, as each name service has an order of its own. */
function numbers(text: string): number[] {
  return text
    .split(" ")
    .map(Number)
    .sort((a, b) => a - b);
}

const byNumber = (a: number, b: number): number => a - b;

describe("findAccount", () => {
  test("knows root by name and by uid", () => {
    const root = findAccount("root")!;
    expect(root).toMatchObject({ name: "root", uid: 0, gid: 0 });
    expect(root.groups).toContain(0);
    expect(findAccount("0")).toEqual(root);
  });

  for (const [claim, account] of [
    ["a user in two groups", few],
    ["a user in 70 groups", many],
  ] as const) {
    needsAccounts(`says of ${claim} what id says`, () => {
      const { name, home, shell } = account;
      const found = findAccount(name)!;
      const uid = Number(account.id("-u"));
      expect(found).toMatchObject({ name, home, shell, uid, gid: Number(account.id("-g")) });
      expect([...found.groups].sort(byNumber)).toEqual(numbers(account.id("-G")));
      expect(findAccount(String(uid))).toEqual(found);
    });
  }

  test.each(["", "no such user", "ro\0ot", "4294967295", "99999999999", "-1", "4000000001"])(
    "knows nobody called %j",
    (name) => expect(findAccount(name)).toBeNull(),
  );
});

requires({ tools: ["getent"] })("accountNames lists who getent(1) lists, each time anew", () => {
  const lines = Bun.spawnSync(["getent", "passwd"]).stdout.toString().trimEnd().split("\n");
  const names = lines.map((line) => line.slice(0, line.indexOf(":")));
  expect(accountNames()).toEqual(names);
  expect(accountNames()).toEqual(names);
});
