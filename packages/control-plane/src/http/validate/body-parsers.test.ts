import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { limits } from "@opencomputer/protocol/api";
import { fastify } from "fastify";
import { addBodyParsers } from "./body-parsers.ts";

describe("addBodyParsers()", () => {
  const app = fastify();
  addBodyParsers(app);
  app.post("/", async ({ body }) => ({ body: body ?? "none" }));
  app.post("/large", { bodyLimit: limits.manifestBytesMax }, async ({ body }) => ({
    count: Array.isArray(body) ? body.length : 0,
  }));
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

  test("a body with as many values as an image may have is parsed, one with more is not", async () => {
    const headers = { "content-type": json };
    const bodyOf = (elements: number) => `["${"{,".repeat(10)}"${",1".repeat(elements - 1)}]`;
    const { apiBodyValuesMax } = limits;
    for (const [elements, status] of [
      [apiBodyValuesMax - 1, 200],
      [apiBodyValuesMax, 400],
    ] as const) {
      const payload = bodyOf(elements);
      const response = await app.inject({ method: "POST", url: "/large", headers, payload });
      assert.equal(response.statusCode, status);
      if (status === 400) assert.match(response.json().message, /more than 2000000 JSON values/);
      else assert.deepEqual(response.json(), { count: elements });
    }
    const filesOfLargestImage = limits.imageStepsMax * limits.imageFilesPerStepMax;
    assert.ok(4 * filesOfLargestImage < apiBodyValuesMax);
  });

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
