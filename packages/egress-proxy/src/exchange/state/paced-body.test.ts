import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type IncomingBody, noBody } from "../../http/incoming-body.ts";
import { FairTurns } from "../../turns/fair-turns.ts";
import { PacedBody, pacedSource } from "./paced-body.ts";

const part = Buffer.alloc(64 * 1024);

/** A body that is always ready with a further part, up to so many. */
function readyBody(parts: number): IncomingBody {
  let read = 0;
  return {
    ...noBody,
    get bytes() {
      return read * part.length;
    },
    read: async () => (read++ < parts ? [part] : null),
    takeWhole: () => part,
  };
}

/** Reads to the end, and returns how many parts came in each turn of the event loop. */
async function partsOfTurns(source: Pick<IncomingBody, "read">): Promise<number[]> {
  const counts = [0];
  let isOver = false;
  const readAll = async () => {
    while ((await source.read()) !== null) counts.push((counts.pop() ?? 0) + 1);
    isOver = true;
  };
  const reading = readAll();
  while (!isOver) {
    await nextTurn();
    counts.push(0);
  }
  await reading;
  return counts;
}

describe("a body that arrives faster than it is worked on", () => {
  for (const [name, paced] of [
    ["PacedBody", (turns: FairTurns) => new PacedBody(readyBody(40), turns, "sb-a")],
    ["pacedSource", (turns: FairTurns) => pacedSource(readyBody(40), turns, "sb-a")],
  ] as const) {
    test(`${name}: leaves turns of the event loop to others, and loses nothing`, async () => {
      const counts = await partsOfTurns(paced(new FairTurns({ workPerTurnMax: 8 })));
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        40,
      );
      assert.ok(Math.max(...counts) <= 3, `parts in each turn: ${counts}`);
    });
  }

  test("of which all was taken at once is paid for by what the sandbox takes next", () => {
    const turns = new FairTurns({ workPerTurnMax: 4 });
    assert.equal(new PacedBody(readyBody(1), turns, "sb-a").takeWhole(), part);
    assert.notEqual(turns.take("sb-a", 1), undefined);
    assert.equal(turns.take("sb-b", 1), undefined);
  });
});
