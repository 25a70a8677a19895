import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createBatchedLookup } from "./batched-lookup.ts";

describe("createBatchedLookup", () => {
  /** A store whose queries take what is in it when they begin, and end when the test ends them. */
  function open() {
    const stored = new Map([["a", 1]]);
    const queries: { keys: string[]; end: (error?: Error) => void }[] = [];
    const find = createBatchedLookup<string, number>({
      nameOf: (key) => key,
      load: (keys) => {
        const found = new Map([...stored].filter(([key]) => keys.includes(key)));
        return new Promise((resolve, reject) => {
          queries.push({
            keys,
            end: (error) => (error === undefined ? resolve(found) : reject(error)),
          });
        });
      },
    });
    /** What the lookup put off until the sockets were read has begun. */
    const settled = async () => {
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    return { stored, queries, find, settled };
  }

  test("asks together for what comes before the query begins, and for what comes while it runs", async () => {
    const { queries, find, settled } = open();
    const lookups = [find("a"), find("a"), find("b")];
    assert.equal(queries.length, 0);
    await settled();
    lookups.push(find("c"), find("a"));
    queries[0]?.end();
    await settled();
    queries[1]?.end();
    assert.deepEqual(await Promise.all(lookups), [1, 1, undefined, undefined, 1]);
    assert.deepEqual(
      queries.map(({ keys }) => keys),
      [
        ["a", "b"],
        ["c", "a"],
      ],
    );
  });

  test("a lookup after a write sees it, though an older query of the row still runs", async () => {
    const { stored, queries, find, settled } = open();
    const before = find("a");
    await settled();
    stored.set("a", 2);
    const after = find("a");
    queries[0]?.end();
    await settled();
    queries[1]?.end();
    assert.deepEqual([await before, await after], [1, 2]);
  });

  test("a failed query fails its own lookups and no later one", async () => {
    const { queries, find, settled } = open();
    const failing = assert.rejects(find("a"), /gone/);
    await settled();
    const next = find("a");
    queries[0]?.end(new Error("gone"));
    await settled();
    queries[1]?.end();
    await failing;
    assert.equal(await next, 1);
    const later = find("a");
    await settled();
    queries[2]?.end();
    assert.equal(await later, 1);
  });

  test("asks for at most 500 rows in one query", async () => {
    const { queries, find, settled } = open();
    const lookups = Array.from({ length: 502 }, (_, index) => find(`k${index}`));
    for (let query = 0; query < 2; query += 1) {
      await settled();
      queries[query]?.end();
    }
    assert.equal((await Promise.all(lookups)).length, 502);
    assert.deepEqual(
      queries.map(({ keys }) => keys.length),
      [500, 2],
    );
  });
});
