import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WireError } from "@opencomputer/protocol/api";
import { recordSpans } from "../testing/record-spans.ts";
import { currentTrace, runOutsideTraces, traceHeaders, traceLogFields } from "./current-trace.ts";
import { traceCalls } from "./trace-calls.ts";
import { Tracer } from "./tracer.ts";

describe("Tracer", () => {
  test("makes spans within spans of one trace, also after waits", async () => {
    const { tracer, spans } = recordSpans();
    const result = await tracer.trace(
      "outer",
      async () => {
        await delay(1);
        await Promise.all(["one", "other"].map((name) => tracer.span(name, () => delay(1))));
        return 7;
      },
      { sandboxId: "sb-1" },
    );
    assert.equal(result, 7);
    assert.deepEqual(
      spans.map(({ name, parentName, end }) => [name, parentName, end?.code]),
      [
        ["outer", undefined, "ok"],
        ["one", "outer", "ok"],
        ["other", "outer", "ok"],
      ],
    );
    assert.equal(new Set(spans.map(({ context }) => context.traceId)).size, 1);
    assert.equal(currentTrace(), undefined);
  });

  test("span: work that belongs to no trace has none", async () => {
    const { tracer, spans } = recordSpans();
    assert.equal(await tracer.span("alone", async () => currentTrace()), undefined);
    assert.deepEqual(spans, []);
  });

  test("an error becomes its code, never its text, and is passed on", async () => {
    const { tracer, spans } = recordSpans();
    const failures = [new WireError("limit_reached", "canary"), new Error("canary")];
    for (const error of failures) {
      await assert.rejects(
        tracer.trace("work", () => Promise.reject(error)),
        error,
      );
    }
    assert.deepEqual(
      spans.map(({ end }) => end),
      [
        { code: "limit_reached", isFailure: true },
        { code: "internal_error", isFailure: true },
      ],
    );
  });

  test("without an exporter a trace has an id for logs and other processes", async () => {
    const tracer = new Tracer();
    const seen = await tracer.trace("work", () =>
      tracer.span("part", async () => ({ ...traceLogFields(), headers: traceHeaders() })),
    );
    assert.match(seen.traceId ?? "", /^[0-9a-f]{32}$/);
    assert.deepEqual(seen.headers, { traceparent: `00-${seen.traceId}-${seen.spanId}-00` });
    assert.deepEqual([traceLogFields(), traceHeaders()], [{}, {}]);
  });

  test("runOutsideTraces: what outlives a request is no part of it", async () => {
    const { tracer, spans } = recordSpans();
    await tracer.trace("request", async () => {
      await runOutsideTraces(() => tracer.span("refill", () => delay(1)));
      assert.notEqual(currentTrace(), undefined);
    });
    assert.deepEqual(
      spans.map(({ name }) => name),
      ["request"],
    );
  });
});

describe("traceCalls", () => {
  test("puts a span around the named calls only, and changes no result", async () => {
    const { tracer, spans } = recordSpans();
    const peer = traceCalls(
      tracer,
      {
        add: async (one: number, other: number) => one + other,
        poll: async () => "polled",
        fail: async (): Promise<void> => {
          throw new WireError("worker_unavailable", "away");
        },
        name: "peer",
      },
      { peer: "worker", kind: "client", calls: { add: "add up", fail: "fail" } },
    );
    await tracer.trace("request", async () => {
      assert.deepEqual([await peer.add(2, 3), await peer.poll(), peer.name], [5, "polled", "peer"]);
      await assert.rejects(peer.fail(), { code: "worker_unavailable" });
    });
    assert.deepEqual(
      spans.slice(1).map(({ name, kind, end }) => [name, kind, end?.code]),
      [
        ["worker add up", "client", "ok"],
        ["worker fail", "client", "worker_unavailable"],
      ],
    );
  });
});
