import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { addControlPlaneMetrics, type ControlPlaneSources } from "./control-plane-metrics.ts";

test("addControlPlaneMetrics reads everything at each scrape", async () => {
  let reads = 0;
  let sources: ControlPlaneSources = {
    async countByState() {
      reads += 1;
      return new Map([["running", 3]]);
    },
    connections: () => ({ open: 5, idle: 2, waiting: 1 }),
    health: () => ({ ready: true, limitsEnforced: true, quarantinedCount: 0 }),
    processes: () => [
      { name: "worker", state: "restarting", since: "", restarts: 4, lastExit: "signal SIGKILL" },
    ],
    processUsage: () => [{ name: "host", cpuSeconds: 2.5, residentMemoryBytes: 4096 }],
  };
  const registry = new Registry();
  addControlPlaneMetrics(registry, {
    countByState: () => sources.countByState(),
    connections: () => sources.connections(),
    health: () => sources.health(),
    processes: () => sources.processes(),
    processUsage: () => sources.processUsage(),
  });
  const scrape = async () => (await registry.metrics()).split("\n");
  const first = await scrape();
  for (const line of [
    "opencomputer_database_up 1",
    'opencomputer_sandboxes{state="running"} 3',
    'opencomputer_sandboxes{state="hibernated"} 0',
    'opencomputer_database_connections{use="idle"} 2',
    'opencomputer_database_connections{use="busy"} 3',
    "opencomputer_database_waiting 1",
    "opencomputer_ready 1",
    'opencomputer_process_running{process="worker"} 0',
    'opencomputer_process_restarts{process="worker"} 4',
    'opencomputer_process_cpu_seconds_total{process="host"} 2.5',
    'opencomputer_process_resident_memory_bytes{process="host"} 4096',
  ]) {
    assert.ok(first.includes(line), line);
  }
  assert.equal(reads, 1);

  const broken = async () => {
    throw new Error("the database is away");
  };
  sources = { ...sources, countByState: broken };
  const second = await scrape();
  assert.ok(second.includes("opencomputer_database_up 0"));
  assert.ok(second.includes("opencomputer_ready 1"), "the rest is still measured");
  const cpu = 'opencomputer_process_cpu_seconds_total{process="host"} 2.5';
  assert.ok(second.includes(cpu), "a scrape adds nothing to it");
  assert.ok(!second.some((line) => line.startsWith("opencomputer_sandboxes{")));
});
