import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { fastify } from "fastify";
import { validatorCompiler } from "fastify-type-provider-zod";
import { z } from "zod";
import { toWireError } from "./to-wire-error.ts";

const canary = "sk-canary-5d5d";
const texts = {
  bodyTooLarge: "The body is larger than 64 bytes, the limit",
  pathPartTooLong: "A part of the path is longer than 8 characters, the limit",
  internal: "The process failed; its log has the reason",
};

async function responseTo(request: {
  url?: string;
  payload?: string;
  headers?: Record<string, string>;
}): Promise<{ status: number; body: unknown; text: string }> {
  const app = fastify({ bodyLimit: 64, routerOptions: { maxParamLength: 8 } });
  app.setValidatorCompiler(validatorCompiler);
  app.setErrorHandler<Error>((error, _request, reply) => {
    const wireError = toWireError(error, texts);
    return reply.code(wireError.status).send(wireError.toBody());
  });
  app.post("/things/:name", { schema: { body: z.object({ age: z.number() }) } }, async () => ({}));
  app.post("/failing", async () => {
    throw Object.assign(new Error(canary), { statusCode: 400 });
  });
  const response = await app.inject({
    method: "POST",
    url: request.url ?? "/things/a",
    headers: { "content-type": "application/json", ...request.headers },
    payload: request.payload ?? "{}",
  });
  return { status: response.statusCode, body: response.json(), text: response.body };
}

describe("toWireError", () => {
  const refused: [string, Parameters<typeof responseTo>[0], number, string][] = [
    ["a body that is not JSON", { payload: `{"age": ${canary}` }, 400, "invalid_json"],
    ["an empty body", { payload: "" }, 400, "invalid_json"],
    ["a field of the wrong type", { payload: `{"age": "${canary}"}` }, 400, "invalid_request"],
    ["a body over the limit", { payload: `"${"x".repeat(64)}"` }, 413, "body_too_large"],
    [
      "another media type",
      { headers: { "content-type": "text/x" }, payload: canary },
      415,
      "unsupported_media_type",
    ],
    ["an error that is not Fastify's", { url: "/failing" }, 500, "internal_error"],
  ];
  for (const [what, request, status, code] of refused) {
    test(`maps ${what} to ${code} and does not quote it`, async () => {
      const response = await responseTo(request);
      assert.equal(response.status, status, response.text);
      assert.ok(typeof response.body === "object" && response.body !== null);
      assert.equal(Reflect.get(response.body, "code"), code);
      assert.ok(!response.text.includes(canary), response.text);
    });
  }

  test("names the field that does not fit the schema", async () => {
    const { text } = await responseTo({ payload: "{}" });
    assert.match(text, /"error":"age: /);
  });

  test("shows the limits that the process gives", async () => {
    const { text } = await responseTo({ payload: `"${"x".repeat(64)}"` });
    assert.match(text, /larger than 64 bytes/);
  });

  test("passes an error of the product on as it is", () => {
    const error = new WireError("sandbox_not_found", "sandbox not found: a");
    assert.equal(toWireError(error, texts), error);
  });
});
