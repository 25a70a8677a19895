import type { ProcessState } from "@opencomputer/protocol/api";
import type { ProcessUsage } from "@opencomputer/protocol/wire";
import { Counter, Gauge, type Registry } from "prom-client";
import type { DatabaseConnections } from "../../database/database.ts";
import { sandboxStates } from "../../database/schema.ts";
import type { SandboxState } from "../../sandboxes/rows/sandbox-states.ts";
import type { WorkersHealth } from "../../worker/workers.ts";

/** What is read at the moment of each scrape. */
export interface ControlPlaneSources {
  /** Sandboxes of all orgs. Rejects while the database cannot be reached. */
  countByState(): Promise<ReadonlyMap<SandboxState, number>>;
  connections(): DatabaseConnections;
  health(): WorkersHealth;
  /** The processes of the service, as their supervisor reports them. */
  processes(): readonly ProcessState[];
  /** What the supervisor, and processes without metrics of their own, use. */
  processUsage(): readonly ProcessUsage[];
}

/** Adds what the control plane has and knows. No org and no sandbox is a label. */
export function addControlPlaneMetrics(registry: Registry, sources: ControlPlaneSources): void {
  const registers = [registry];
  let counting: Promise<ReadonlyMap<SandboxState, number> | undefined> | undefined;
  /** One query for both of a scrape; undefined while the database does not respond. */
  const countOnce = () => {
    counting ??= sources
      .countByState()
      .catch(() => undefined)
      .finally(() => {
        counting = undefined;
      });
    return counting;
  };
  new Gauge({
    name: "opencomputer_database_up",
    help: "1 when the database responded to this scrape, otherwise 0",
    registers,
    async collect() {
      this.set((await countOnce()) === undefined ? 0 : 1);
    },
  });
  new Gauge({
    name: "opencomputer_sandboxes",
    help: "Sandboxes of all orgs by state; absent while the database does not respond",
    labelNames: ["state"],
    registers,
    async collect() {
      this.reset();
      const counts = await countOnce();
      if (counts === undefined) return;
      for (const state of sandboxStates) this.set({ state }, counts.get(state) ?? 0);
    },
  });
  new Gauge({
    name: "opencomputer_database_connections",
    help: "Connections to the database by use",
    labelNames: ["use"],
    registers,
    collect() {
      const { open, idle } = sources.connections();
      this.set({ use: "idle" }, idle);
      this.set({ use: "busy" }, open - idle);
    },
  });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(read());
      },
    });
  gauge(
    "opencomputer_database_waiting",
    "Statements that wait for a connection to the database",
    () => sources.connections().waiting,
  );
  gauge("opencomputer_ready", "1 while sandboxes can be created, otherwise 0", () =>
    sources.health().ready ? 1 : 0,
  );
  new Gauge({
    name: "opencomputer_process_running",
    help: "1 while a process of the service runs, 0 while it is restarted",
    labelNames: ["process"],
    registers,
    collect() {
      for (const { name, state } of sources.processes()) {
        this.set({ process: name }, state === "running" ? 1 : 0);
      }
    },
  });
  new Gauge({
    name: "opencomputer_process_restarts",
    help: "How often a process of the service was started again since the service started",
    labelNames: ["process"],
    registers,
    collect() {
      for (const { name, restarts } of sources.processes()) this.set({ process: name }, restarts);
    },
  });
  new Counter({
    name: "opencomputer_process_cpu_seconds_total",
    help: "CPU time of the supervisor and the host process, as the supervisor measures it",
    labelNames: ["process"],
    registers,
    collect() {
      this.reset();
      for (const { name, cpuSeconds } of sources.processUsage()) {
        this.inc({ process: name }, cpuSeconds);
      }
    },
  });
  new Gauge({
    name: "opencomputer_process_resident_memory_bytes",
    help: "Resident memory of the supervisor and the host process, as the supervisor measures it",
    labelNames: ["process"],
    registers,
    collect() {
      this.reset();
      for (const { name, residentMemoryBytes } of sources.processUsage()) {
        this.set({ process: name }, residentMemoryBytes);
      }
    },
  });
}
