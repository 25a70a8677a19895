import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { limits } from "@opencomputer/protocol/api";
import { fastify } from "fastify";
import { addBodyParsers } from "./body-parsers.ts";

describe("addBodyParsers()", () => {
  const app = fastify();
  addBodyParsers(app);
  app.post("/", async ({ body }) => ({ body: body ?? "none" }));
  const ofImage = { bodyLimit: limits.manifestBytesMax, config: { eventStream: "lines" } };
  app.post("/image", ofImage, async () => ({}));
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

  for (const [route, valuesMax] of [
    ["/", limits.apiBodyValuesMax],
    ["/image", limits.manifestValuesMax],
  ] as const) {
    test(`${route}: a body of ${valuesMax} values is parsed, one of more is not`, async () => {
      const headers = { "content-type": json };
      const bodyOf = (elements: number) => `["${"{,".repeat(10)}"${",1".repeat(elements - 1)}]`;
      const post = (payload: string) =>
        app.inject({ method: "POST", url: route, headers, payload });
      assert.equal((await post(bodyOf(valuesMax - 1))).statusCode, 200);
      const refused = await post(bodyOf(valuesMax));
      assert.equal(refused.statusCode, 400);
      assert.match(refused.json().message, new RegExp(`more than ${valuesMax} elements`));
    });
  }

  test("a largest image, command and sandbox are within these limits", () => {
    const files = limits.imageStepsMax * limits.imageFilesPerStepMax;
    assert.ok(4 * files < limits.manifestValuesMax);
    const { commandArgumentsMax, environmentVariablesMax, metadataEntriesMax } = limits;
    const lists = 10 * limits.hostPatternsMax;
    const values = commandArgumentsMax + environmentVariablesMax + metadataEntriesMax + lists;
    assert.ok(2 * values < limits.apiBodyValuesMax);
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
