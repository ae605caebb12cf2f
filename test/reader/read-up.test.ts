import { describe, expect, test } from "bun:test";
import { ReadUps } from "../../src/reader/read-up.ts";
import type { WatchTable } from "../../src/watch/watch-table.ts";

/** A table of which only the queue matters. */
function fakeTable() {
  const backend = { position: 0, end: 0 };
  const state = { backend, isUnsettled: false };
  const read = (bytes: number): void => {
    backend.position += bytes;
  };
  return { state, read, table: state as unknown as WatchTable };
}

function settling(...tables: WatchTable[]) {
  return { tables, isWalking: false, openLooks: 0 };
}

describe("ReadUps", () => {
  test("wait without a question", () => {
    expect(new ReadUps().next(settling())).toBe("wait");
  });

  test("answer when what was queued has been read, whatever has come since", () => {
    const { state, read, table } = fakeTable();
    const readUps = new ReadUps();
    state.backend.end = 100;
    readUps.ask([table]);
    expect(readUps.next(settling(table))).toBe("wait");
    state.backend.end += 1000;
    read(100);
    expect(readUps.next(settling(table))).toBe("look"); // of what is queued by now
    expect(readUps.next(settling(table))).toBe("wait");
    state.backend.end += 1000;
    read(1000);
    expect(readUps.next(settling(table))).toBe("answer");
    expect(readUps.next(settling(table))).toBe("wait");
  });

  test("wait for each table", () => {
    const [one, other] = [fakeTable(), fakeTable()];
    const readUps = new ReadUps();
    other.state.backend.end = 16;
    readUps.ask([one.table, other.table]);
    expect(readUps.next(settling(one.table, other.table))).toBe("wait");
    other.read(16);
    expect(readUps.next(settling(one.table, other.table))).toBe("look");
  });

  test("wait for walks, looks and halves of renames: events may follow from them", () => {
    const { state, table } = fakeTable();
    const readUps = new ReadUps();
    readUps.ask([table]);
    expect(readUps.next({ ...settling(table), isWalking: true })).toBe("wait");
    expect(readUps.next({ ...settling(table), openLooks: 1 })).toBe("wait");
    state.isUnsettled = true;
    expect(readUps.next(settling(table))).toBe("wait");
    state.isUnsettled = false;
    expect(readUps.next(settling(table))).toBe("look");
    expect(readUps.next({ ...settling(table), isWalking: true })).toBe("wait");
    expect(readUps.next(settling(table))).toBe("answer");
  });

  test("answer one question after the other", () => {
    const readUps = new ReadUps();
    readUps.ask([]);
    readUps.ask([]);
    const said = Array.from({ length: 5 }, () => readUps.next(settling()));
    expect(said).toEqual(["look", "answer", "look", "answer", "wait"]);
  });
});
