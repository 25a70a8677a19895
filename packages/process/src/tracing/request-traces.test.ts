import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { fastify } from "fastify";
import { pino } from "pino";
import { recordSpans } from "../testing/record-spans.ts";
import { currentTrace, traceLogFields } from "./current-trace.ts";
import { createRequestTraces } from "./request-traces.ts";
import { Tracer } from "./tracer.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";

function serve(tracer: Tracer) {
  const lines: string[] = [];
  const logger = pino(
    { mixin: traceLogFields },
    { write: (line: string) => void lines.push(line) },
  );
  const traces = createRequestTraces(tracer, { begins: (route) => route.startsWith("/api/") });
  const app = fastify();
  app.addHook("onRequest", traces.onRequest);
  app.addHook("preValidation", traces.preValidation);
  app.addHook("onError", traces.onError);
  app.addHook("onResponse", traces.onResponse);
  app.addHook("onResponse", async () => logger.info("response"));
  const read = async () => ({ traceId: currentTrace()?.traceId ?? null });
  app.get("/api/sandboxes/:id", read);
  app.post("/api/sandboxes", read);
  app.put("/api/sandboxes", async () => {
    throw new WireError("limit_reached", "canary");
  });
  app.delete("/api/sandboxes", async () => {
    throw new Error("canary");
  });
  app.get("/health", read);
  return { app, lines };
}

describe("createRequestTraces", () => {
  test("continues the caller's trace, in handlers, with a body too, and in the log", async () => {
    const { tracer, spans } = recordSpans();
    const { app, lines } = serve(tracer);
    const requests = [
      { url: `/api/sandboxes/${sandboxId}?canary=canary`, headers: { traceparent } },
      {
        ...{ method: "POST", url: "/api/sandboxes", headers: { traceparent } },
        payload: { canary: "canary" },
      },
    ] as const;
    for (const request of requests) {
      assert.deepEqual((await app.inject(request)).json(), { traceId });
    }
    assert.deepEqual(
      spans.map(({ name, kind, parent }) => [name, kind, parent?.spanId]),
      [
        ["GET /api/sandboxes/:id", "server", "00f067aa0ba902b7"],
        ["POST /api/sandboxes", "server", "00f067aa0ba902b7"],
      ],
    );
    assert.equal(spans[0]?.attributes.sandboxId, sandboxId);
    for (const line of lines) assert.match(line, new RegExp(`"traceId":"${traceId}"`));
    assert.equal(lines.length, 2);
    assert.doesNotMatch(JSON.stringify(spans), /canary/);
  });

  test("begins a trace for the routes that begin one, and continues one for every route", async () => {
    const { tracer, spans } = recordSpans();
    const { app } = serve(tracer);
    assert.equal((await app.inject({ url: "/health" })).json().traceId, null);
    assert.equal(
      (await app.inject({ url: "/health", headers: { traceparent: "x" } })).json().traceId,
      null,
    );
    assert.equal(
      (await app.inject({ url: "/health", headers: { traceparent } })).json().traceId,
      traceId,
    );
    const begun = await app.inject({ url: "/api/sandboxes/canary" });
    assert.equal(begun.json().traceId, spans[1]?.context.traceId);
    assert.deepEqual(
      spans.map(({ name, attributes }) => [name, attributes.sandboxId]),
      [
        ["GET /health", undefined],
        ["GET /api/sandboxes/:id", undefined],
      ],
    );
  });

  test("a failure has its code, and a path without a route no span", async (t) => {
    const { tracer, spans } = recordSpans();
    const { app } = serve(tracer);
    const url = await app.listen({ host: "127.0.0.1", port: 0 });
    t.after(() => app.close());
    for (const [method, path] of [
      ["PUT", "/api/sandboxes"],
      ["DELETE", "/api/sandboxes"],
      ["GET", "/api/canary"],
    ] as const) {
      const response = await fetch(url + path, { method, headers: { traceparent } });
      await response.text();
    }
    assert.deepEqual(
      spans.map(({ end }) => [end?.code, end?.isFailure, end?.attributes?.statusCode]),
      [
        ["limit_reached", false, 409],
        ["internal_error", true, 500],
      ],
    );
    assert.doesNotMatch(JSON.stringify(spans), /canary/);
  });

  test("the span of a caller that leaves ends", async (t) => {
    const { tracer, spans } = recordSpans();
    const { app } = serve(tracer);
    app.get("/api/slow", () => new Promise(() => undefined));
    const url = new URL(await app.listen({ host: "127.0.0.1", port: 0 }));
    t.after(() => app.close());
    const socket = connect(Number(url.port), url.hostname);
    socket.write("GET /api/slow HTTP/1.1\r\nhost: x\r\n\r\n");
    while (spans.length === 0) await new Promise(setImmediate);
    socket.destroy();
    await once(socket, "close");
    while (spans[0]?.end === undefined) await new Promise(setImmediate);
    assert.deepEqual(spans[0].end, { code: "client_closed", isFailure: false });
  });

  test("without an exporter each request of the API has an id in the log", async () => {
    const { app, lines } = serve(new Tracer());
    await app.inject({ url: "/api/sandboxes/x" });
    await app.inject({ url: "/health" });
    assert.match(lines[0] ?? "", /"traceId":"[0-9a-f]{32}","spanId":"[0-9a-f]{16}"/);
    assert.doesNotMatch(lines[1] ?? "", /traceId/);
  });
});
