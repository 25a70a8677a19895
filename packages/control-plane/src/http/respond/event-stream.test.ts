import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BuildLogEvent, WireError } from "@opencomputer/protocol/api";
import { fastify } from "fastify";
import { respondWithEvents, wantsEventStream } from "./event-stream.ts";

type Work = (onLog: (event: BuildLogEvent) => void) => Promise<unknown>;

/** What a client receives when a route responds with this work. */
async function responseOf(work: Work) {
  const app = fastify();
  app.get("/", (_request, reply) => respondWithEvents(reply, work));
  const response = await app.inject({ method: "GET", url: "/" });
  await app.close();
  return response;
}

describe("respondWithEvents()", () => {
  test("frames each event as one data line, and ends with the result", async () => {
    const { statusCode, headers, body } = await responseOf(async (onLog) => {
      onLog({ step: 1, type: "output", message: "two\nlines \u2028" });
      return { id: "x" };
    });
    assert.equal(statusCode, 200);
    assert.equal(headers["content-type"], "text/event-stream");
    assert.equal(headers["cache-control"], "no-store");
    const log = '{"step":1,"type":"output","message":"two\\nlines \u2028"}';
    assert.equal(body, `event: build_log\ndata: ${log}\n\nevent: result\ndata: {"id":"x"}\n\n`);
  });

  test("reports why the work failed, and nothing of a failure that is not for clients", async () => {
    const refused = await responseOf(async () => {
      throw new WireError("image_build_failed", "Step 1/1 (run) failed");
    });
    const error = '{"error":"Step 1/1 (run) failed","code":"image_build_failed"}';
    assert.equal(refused.body, `event: error\ndata: ${error}\n\n`);
    const broken = await responseOf(async () => {
      throw new Error("password=hunter2");
    });
    assert.match(broken.body, /^event: error\ndata: .*"code":"internal_error"/);
    assert.ok(!broken.body.includes("hunter2"));
  });

  test("sends a comment every 15 s, so that nobody takes the connection for dead", async (context) => {
    context.mock.timers.enable({ apis: ["setInterval"] });
    const { body } = await responseOf(async () => {
      context.mock.timers.tick(31_000);
      return {};
    });
    assert.equal(body, ": keepalive\n\n: keepalive\n\nevent: result\ndata: {}\n\n");
  });
});

test("wantsEventStream() takes the header as clients write it", () => {
  for (const [accept, expected] of [
    ["text/event-stream", true],
    ["application/json, text/event-stream;q=0.9", true],
    ["application/json", false],
    ["*/*", false],
    [undefined, false],
    ["text/event-streams", false],
  ] as const) {
    assert.equal(wantsEventStream({ headers: { accept } } as never), expected, accept);
  }
});
