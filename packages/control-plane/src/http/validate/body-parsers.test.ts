import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { fastify } from "fastify";
import { addBodyParsers } from "./body-parsers.ts";

describe("addBodyParsers()", () => {
  const app = fastify();
  addBodyParsers(app);
  app.post("/", async ({ body }) => ({ body: body ?? "none" }));
  after(() => app.close());

  const json = "application/json";
  const cases: [
    type: string | undefined,
    payload: string | undefined,
    status: number,
    body?: unknown,
  ][] = [
    [json, '{"a":1}', 200, { a: 1 }],
    ["Application/JSON; charset=utf-8", "[]", 200, []],
    [json, "{", 400],
    [json, "", 200, "none"],
    [undefined, undefined, 200, "none"],
    ["application/x-www-form-urlencoded", "", 200, "none"],
    ["text/plain;charset=UTF-8", "", 200, "none"],
    ["text/plain", "{}", 415],
    ["application/x-www-form-urlencoded", "a=1", 415],
  ];
  for (const [type, payload, status, body] of cases) {
    test(`${type} with ${JSON.stringify(payload)} is ${status}`, async () => {
      const response = await app.inject({
        method: "POST",
        url: "/",
        ...(type === undefined ? {} : { headers: { "content-type": type } }),
        ...(payload === undefined ? {} : { payload }),
      });
      assert.equal(response.statusCode, status);
      if (status === 200) assert.deepEqual(response.json(), { body });
    });
  }

  test("a request for no route is 404, whatever its body is", async () => {
    for (const [type, payload] of [
      [json, "{"],
      ["text/plain", "x"],
    ] as const) {
      const headers = { "content-type": type };
      const response = await app.inject({ method: "POST", url: "/none", headers, payload });
      assert.equal(response.statusCode, 404);
    }
  });
});
