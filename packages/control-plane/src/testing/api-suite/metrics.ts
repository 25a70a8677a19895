import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../free-port.ts";
import { visitPreview } from "../visit-preview.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeMetrics(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("metrics", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);

    test("are served nowhere unless the operator chooses a port", async () => {
      for (const path of ["/metrics", "/api/metrics", "/metrics/worker"]) {
        assert.equal((await call("GET", path)).status, 404);
      }
    });

    test("count creates, wakes and failures, and name no org and no sandbox", async () => {
      const port = await freePort();
      await installation().restart({ metricsPort: port });
      const scrape = (path = "/metrics", host = `127.0.0.1:${port}`) =>
        visitPreview(`http://127.0.0.1:${port}`, host, { path });
      const id: string = (await call("POST", "/api/sandboxes")).json.sandboxID;
      assert.equal((await call("POST", `/api/sandboxes/${id}/hibernate`)).status, 200);
      const run = await call("POST", `/api/sandboxes/${id}/exec/run`, { body: { cmd: "true" } });
      assert.equal(run.status, 200);
      await call("POST", "/api/sandboxes", { body: { secretStore: "canary" } });
      await call("GET", "/api/sandboxes/sb-canary");

      const scraped = await scrape();
      assert.equal(scraped.status, 200);
      assert.match(String(scraped.headers["content-type"]), /^text\/plain; version=0\.0\.4/);
      const lines = scraped.text.split("\n");
      for (const line of [
        'opencomputer_api_requests_total{method="POST",route="/api/sandboxes",code="ok"} 1',
        'opencomputer_api_requests_total{method="POST",route="/api/sandboxes",code="secret_store_not_found"} 1',
        'opencomputer_api_requests_total{method="POST",route="/api/sandboxes/:id/exec/run",code="ok"} 1',
        'opencomputer_wakes_total{code="ok"} 1',
        "opencomputer_wake_duration_seconds_count 1",
        'opencomputer_sandboxes{state="running"} 1',
        "opencomputer_ready 1",
        "opencomputer_database_up 1",
      ]) {
        assert.ok(lines.includes(line), `${line}\n${scraped.text}`);
      }
      assert.doesNotMatch(scraped.text, /canary|sb-/);

      for (const path of ["/metrics/worker", "/metrics/egress-proxy"]) {
        assert.deepEqual(
          [(await scrape(path)).status, (await scrape(path)).text],
          [200, "# metrics\n"],
        );
      }
      await installation().worker.stop();
      assert.equal((await scrape("/metrics/worker")).status, 503);
      assert.equal((await scrape()).status, 200);
      await installation().worker.start();

      // Neither a web page nor a route of the API reaches them.
      assert.equal((await scrape("/metrics", "evil.test")).status, 421);
      assert.equal((await scrape("/api/sandboxes")).status, 404);
      assert.equal((await call("GET", "/metrics")).status, 404);
    });
  });
}
