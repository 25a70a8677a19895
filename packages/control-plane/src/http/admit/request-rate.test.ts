import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fastify } from "fastify";
import { respondWithError } from "../respond/error-responses.ts";
import { createRequestRate } from "./request-rate.ts";

describe("createRequestRate", () => {
  async function start(requestsPerSecondMax: number | undefined) {
    const clock = { milliseconds: 0 };
    const app = fastify();
    app.setErrorHandler(respondWithError);
    app.addHook("onRequest", async (request) => {
      request.apiKeyId = request.headers["x-caller"] === "other" ? "other" : "one";
    });
    app.addHook(
      "onRequest",
      createRequestRate({ requestsPerSecondMax, now: () => clock.milliseconds }),
    );
    app.get("/", async () => "ok");
    const statuses = async (count: number, caller = "one") => {
      const found: number[] = [];
      for (let sent = 0; sent < count; sent += 1) {
        const response = await app.inject({ url: "/", headers: { "x-caller": caller } });
        found.push(response.statusCode);
      }
      return found;
    };
    return { app, clock, statuses };
  }

  test("takes a second's worth at once, and refuses the next", async () => {
    const { app, statuses } = await start(3);
    assert.deepEqual(await statuses(4), [200, 200, 200, 429]);
    const refused = await app.inject("/");
    assert.equal(refused.json().code, "too_many_requests");
    assert.match(refused.json().error, /OPENCOMPUTER_REQUESTS_PER_SECOND_MAX/);
    assert.equal(refused.headers["retry-after"], "1");
  });

  test("gives requests back evenly, and never more than a second's worth", async () => {
    const { clock, statuses } = await start(4);
    await statuses(4);
    clock.milliseconds += 250;
    assert.deepEqual(await statuses(2), [200, 429]);
    clock.milliseconds += 3_600_000;
    assert.deepEqual(await statuses(5), [200, 200, 200, 200, 429]);
  });

  test("counts each caller apart", async () => {
    const { statuses } = await start(1);
    assert.deepEqual(await statuses(2), [200, 429]);
    assert.deepEqual(await statuses(2, "other"), [200, 429]);
  });

  test("without a number refuses nobody", async () => {
    const { statuses } = await start(undefined);
    assert.ok((await statuses(500)).every((status) => status === 200));
  });
});
