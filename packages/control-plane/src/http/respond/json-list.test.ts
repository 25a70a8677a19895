import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fastify } from "fastify";
import { createJsonList, isJsonList, respondWithList } from "./json-list.ts";

async function* itemsOf(...items: unknown[]) {
  yield* items;
}
const listOf = (...items: unknown[]) => ({ items: itemsOf(...items), heldBytesMax: 7 });

test("createJsonList: the text of the list, with what it holds", async () => {
  for (const items of [[], [1], [{ a: "é" }, null, "x"]]) {
    const list = createJsonList(listOf(...items));
    assert.ok(isJsonList(list));
    assert.equal(list.heldBytesMax, 7);
    assert.equal(await text(list), JSON.stringify(items));
  }
  assert.ok(!isJsonList("[]"));
});

test("createJsonList: reads no item before the one ahead of it is taken", async () => {
  let itemsRead = 0;
  async function* items() {
    for (; itemsRead < 100; itemsRead += 1) yield "x".repeat(1024 * 1024);
  }
  const list = createJsonList({ items: items(), heldBytesMax: 1 });
  list.read(1);
  await delay(50);
  assert.ok(itemsRead <= 2, `${itemsRead} items were read`);
  list.destroy();
});

test("respondWithList: a failure to read the first item is an error response", async () => {
  const app = fastify();
  app.get("/list", async (_request, reply) => respondWithList(reply, listOf(1, 2)));
  app.get("/failing", async (_request, reply) => {
    async function* failing() {
      yield* [];
      throw new Error("no database");
    }
    return respondWithList(reply, { items: failing(), heldBytesMax: 0 });
  });
  const list = await app.inject("/list");
  assert.deepEqual(
    [list.json(), list.headers["content-type"]],
    [[1, 2], "application/json; charset=utf-8"],
  );
  assert.equal((await app.inject("/failing")).statusCode, 500);
  await app.close();
});
