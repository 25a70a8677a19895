import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WireError } from "@opencomputer/protocol/api";
import { fastify } from "fastify";
import { collectDefaultMetrics, Registry } from "prom-client";
import { createProcessMetrics } from "./process-metrics.ts";
import { createRequestMetrics } from "./request-metrics.ts";
import { createWorkMetrics } from "./work-metrics.ts";

/** The samples of a metric, each with its labels. */
async function samples(metrics: ReturnType<typeof createProcessMetrics>, name: string) {
  const lines = (await metrics.read()).split("\n");
  return lines.filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

describe("createRequestMetrics", () => {
  async function serve() {
    const metrics = createProcessMetrics();
    const requests = createRequestMetrics(metrics.registry, "test_api");
    const app = fastify();
    app.addHook("onError", requests.onError);
    app.addHook("onResponse", requests.onResponse);
    app.get("/things/:id", async () => ({}));
    app.post("/things", async () => {
      throw new WireError("limit_reached", "too many");
    });
    app.put("/things", async () => {
      throw new Error("no text of this may be kept");
    });
    await app.ready();
    return { metrics, app };
  }

  test("counts by route and code, and measures", async () => {
    const { metrics, app } = await serve();
    for (const id of ["a", "b", "c"]) await app.inject({ url: `/things/${id}` });
    await app.inject({ method: "POST", url: "/things" });
    await app.inject({ method: "PUT", url: "/things" });
    assert.deepEqual(await samples(metrics, "test_api_requests_total"), [
      'test_api_requests_total{method="GET",route="/things/:id",code="ok"} 3',
      'test_api_requests_total{method="POST",route="/things",code="limit_reached"} 1',
      'test_api_requests_total{method="PUT",route="/things",code="internal_error"} 1',
    ]);
    assert.deepEqual(
      (await samples(metrics, "test_api_request_duration_seconds_count"))[0],
      'test_api_request_duration_seconds_count{method="GET",route="/things/:id"} 3',
    );
  });

  test("keeps nothing that callers choose: paths, methods, queries", async () => {
    const { metrics, app } = await serve();
    for (let index = 0; index < 50; index += 1) {
      await app.inject({ url: `/canary-${index}?canary=${index}` });
      await app.inject({ method: "DELETE", url: `/canary/${index}` });
    }
    const counted = await samples(metrics, "test_api_requests_total");
    assert.deepEqual(counted, [
      'test_api_requests_total{method="none",route="none",code="http_404"} 100',
    ]);
    assert.doesNotMatch(await metrics.read(), /canary/);
  });
});

describe("createWorkMetrics", () => {
  test("counts outcomes, and passes results and errors on", async () => {
    const metrics = createProcessMetrics();
    const observe = createWorkMetrics(metrics.registry, { name: "test_wake", help: "Wakes" });
    assert.equal(await observe(async () => 7), 7);
    const refused = new WireError("capacity_exhausted", "full");
    await assert.rejects(
      observe(async () => {
        throw refused;
      }),
      refused,
    );
    await assert.rejects(
      observe(async () => {
        throw new Error("broken");
      }),
    );
    assert.deepEqual(await samples(metrics, "test_wakes_total"), [
      'test_wakes_total{code="ok"} 1',
      'test_wakes_total{code="capacity_exhausted"} 1',
      'test_wakes_total{code="internal_error"} 1',
    ]);
    assert.deepEqual(await samples(metrics, "test_wake_duration_seconds_count"), [
      "test_wake_duration_seconds_count 3",
    ]);
  });
});

describe("createProcessMetrics", () => {
  test("measures the process once it is read", async () => {
    const metrics = createProcessMetrics();
    for (const name of ["process_resident_memory_bytes", "nodejs_eventloop_lag_p99_seconds"]) {
      assert.equal((await samples(metrics, name)).length, 1, name);
    }
  });

  test("has prom-client's default metrics but those of garbage collection", async () => {
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const namesIn = (text: string) =>
      [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name).toSorted();
    const expected = namesIn(await registry.metrics());
    assert.deepEqual(
      namesIn(await createProcessMetrics().read()),
      expected.filter((name) => name !== "nodejs_gc_duration_seconds"),
    );
  });

  test("does not wake an idle process often to measure its event loop", async () => {
    const metrics = createProcessMetrics();
    const shortest = async () => {
      const [line = ""] = await samples(metrics, "nodejs_eventloop_lag_min_seconds");
      return Number(line.split(" ")[1]);
    };
    let seconds = await shortest();
    // Nothing was measured yet while it is the largest number that it can be.
    while (seconds > 3600) {
      await delay(60);
      seconds = await shortest();
    }
    assert.ok(seconds >= 0.04, `measured again after ${seconds} s`);
  });
});
