import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { type BuildLogEvent, WireError } from "@opencomputer/protocol/api";
import { fastify } from "fastify";
import { createStreamResponses, respondWithEvents, wantsEventStream } from "./event-stream.ts";

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

  test("frames no more than a client takes, and all of it at last", async (t) => {
    const app = fastify();
    t.after(() => app.close());
    const logged: { framed: boolean }[] = [];
    let finish = (_result: unknown): void => undefined;
    const begun = new Promise<(event: BuildLogEvent) => void>((resolve) => {
      app.get("/", (_request, reply) =>
        respondWithEvents(reply, (onLog) => {
          resolve(onLog);
          return new Promise((end) => {
            finish = end;
          });
        }),
      );
    });
    const url = await app.listen({ host: "127.0.0.1", port: 0 });
    const client = connect(Number(new URL(url).port), "127.0.0.1").pause();
    client.write("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    const onLog = await begun;
    const line = "x".repeat(1024 * 1024);
    for (let index = 0; index < 64; index += 1) {
      const entry = { framed: false };
      logged.push(entry);
      const toJSON = () => {
        entry.framed = true;
        return line;
      };
      onLog({ step: 1, type: "output", message: { toJSON } as unknown as string });
      await new Promise(setImmediate);
    }
    assert.ok(
      logged.some(({ framed }) => !framed),
      "some wait for the client",
    );
    finish({ id: "last" });
    let bytes = 0;
    let end = "";
    for await (const chunk of client) {
      bytes += chunk.length;
      end = (end + String(chunk)).slice(-100);
    }
    assert.ok(logged.every(({ framed }) => framed));
    assert.ok(bytes > 64 * line.length);
    assert.match(end, /event: result\ndata: {"id":"last"}\n\n$/);
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

test("createStreamResponses() follows nothing for a client that has left already", async (t) => {
  const app = fastify();
  t.after(() => app.close());
  const respondWithStream = createStreamResponses(app);
  app.addHook("preHandler", async (_request, { raw }) => {
    client.destroy();
    if (!raw.destroyed) await once(raw, "close");
  });
  const followed = new Promise<AbortSignal>((resolve) => {
    app.get("/", (_request, reply) =>
      respondWithStream(reply, async (signal) => {
        resolve(signal);
        return Readable.from([]);
      }),
    );
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const client = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await followed).aborted, true);
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
