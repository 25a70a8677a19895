import { workerSandboxStateSchema } from "@opencomputer/protocol/wire";
import { Gauge, type Registry } from "prom-client";
import type { Worker } from "../start/create-worker.ts";

/** Adds what the worker has, as it is at the moment of each scrape. */
export function addWorkerMetrics(
  registry: Registry,
  worker: Pick<Worker, "sandboxes" | "status" | "occupancy">,
): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(read());
      },
    });

  new Gauge({
    name: "opencomputer_worker_sandboxes",
    help: "Sandboxes of this host by state",
    labelNames: ["state"],
    registers,
    collect() {
      for (const state of workerSandboxStateSchema.options) this.set({ state }, 0);
      for (const { state } of worker.sandboxes.list()) this.inc({ state });
    },
  });
  gauge("opencomputer_worker_ready", "1 while sandboxes can be created, otherwise 0", () =>
    worker.status().ready ? 1 : 0,
  );
  gauge(
    "opencomputer_worker_quarantined_records",
    "Machines and saved machines that the worker cannot read",
    () => worker.status().quarantined.length,
  );
  gauge(
    "opencomputer_worker_slots_taken",
    "Network slots in use, those of warm machines included",
    () => worker.occupancy().slots.taken,
  );
  gauge("opencomputer_worker_slots", "Network slots that the host has", () => {
    return worker.occupancy().slots.total;
  });
  gauge(
    "opencomputer_worker_warm_machines",
    "Warm machines that are ready for new sandboxes",
    () => worker.occupancy().warmMachines.ready,
  );
  gauge(
    "opencomputer_worker_warm_machines_wanted",
    "Warm machines that the worker keeps for new sandboxes",
    () => worker.occupancy().warmMachines.wanted,
  );
}
