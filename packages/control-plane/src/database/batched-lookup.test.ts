import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createBatchedLookup } from "./batched-lookup.ts";

describe("createBatchedLookup", () => {
  /** A store whose queries take what is in it when they begin, and end when told. */
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
    const settled = () => new Promise((resolve) => setImmediate(resolve));
    return { stored, queries, find, settled };
  }

  test("asks at once, and together for what came meanwhile", async () => {
    const { queries, find, settled } = open();
    const answers = [find("a"), find("a"), find("b"), find("a")];
    assert.deepEqual(
      queries.map(({ keys }) => keys),
      [["a"]],
    );
    queries[0]?.end();
    await settled();
    assert.deepEqual(queries[1]?.keys, ["a", "b"]);
    queries[1]?.end();
    assert.deepEqual(await Promise.all(answers), [1, 1, undefined, 1]);
    assert.equal(queries.length, 2);
  });

  test("a lookup after a write sees it, though an older query of the row still runs", async () => {
    const { stored, queries, find, settled } = open();
    const before = find("a");
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
    const next = find("a");
    queries[0]?.end(new Error("gone"));
    await settled();
    queries[1]?.end();
    await failing;
    assert.equal(await next, 1);
    const later = find("a");
    queries[2]?.end();
    assert.equal(await later, 1);
  });

  test("asks for at most 500 rows in one query", async () => {
    const { queries, find, settled } = open();
    const answers = [find("a"), ...Array.from({ length: 501 }, (_, index) => find(`k${index}`))];
    for (let query = 0; query < 3; query += 1) {
      queries[query]?.end();
      await settled();
    }
    assert.deepEqual(
      queries.map(({ keys }) => keys.length),
      [1, 500, 1],
    );
    assert.equal((await Promise.all(answers)).length, 502);
  });
});
