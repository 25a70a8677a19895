import {
  type Autoscale,
  autoscaleSchema,
  limitsSetSchema,
  type ScaledSandbox,
  type ScalingLock,
  scaledSandboxSchema,
  scalingLockSchema,
} from "@opencomputer/protocol/api";
import type { Connection } from "../connection.ts";
import { requestJson, requestNothing } from "../request/send-request.ts";

/** Options of `sandbox.scale`. */
export interface ScaleOptions {
  /** Memory from now on, in MB, 256–16384. */
  memoryMB: number;
}

/** Options of `sandbox.setLimits`: at least one. */
export interface SandboxLimits {
  /** Memory from now on, in MB, 256–16384. */
  memoryMB?: number | undefined;
  /** CPU time of all commands together in percent, 100 for each CPU of the sandbox; at least 5. */
  cpuPercent?: number | undefined;
}

/** Options of `sandbox.setAutoscale`. */
export interface AutoscaleOptions {
  /** Whether the memory follows its use. */
  enabled: boolean;
  /** Least memory, in MB, 256–16384. Required to enable autoscale; absent otherwise keeps it. */
  minMemoryMB?: number | undefined;
  /** Most memory, in MB, 256–16384. Required to enable autoscale; absent otherwise keeps it. */
  maxMemoryMB?: number | undefined;
}

/** The calls about the size of the sandbox at `path`, and its reboot. */
export const scalingCalls = {
  scale: (
    connection: Connection,
    path: string,
    { memoryMB }: ScaleOptions,
  ): Promise<ScaledSandbox> =>
    requestJson(
      connection,
      {
        method: "POST",
        path: `${path}/scale`,
        body: { kind: "json", value: { memoryMB } },
        idempotent: true,
      },
      scaledSandboxSchema,
    ),

  async setLimits(connection: Connection, path: string, limits: SandboxLimits): Promise<void> {
    const { memoryMB, cpuPercent } = limits;
    await requestJson(
      connection,
      {
        method: "PUT",
        path: `${path}/limits`,
        body: { kind: "json", value: { memoryMB, cpuPercent } },
      },
      limitsSetSchema,
    );
  },

  setAutoscale(
    connection: Connection,
    path: string,
    options: AutoscaleOptions,
  ): Promise<Autoscale> {
    const { enabled, minMemoryMB, maxMemoryMB } = options;
    return requestJson(
      connection,
      {
        method: "PUT",
        path: `${path}/autoscale`,
        body: { kind: "json", value: { enabled, minMemoryMB, maxMemoryMB } },
      },
      autoscaleSchema,
    );
  },

  getAutoscale: (connection: Connection, path: string): Promise<Autoscale> =>
    requestJson(connection, { method: "GET", path: `${path}/autoscale` }, autoscaleSchema),

  setLock: (connection: Connection, path: string, locked: boolean): Promise<ScalingLock> =>
    requestJson(
      connection,
      { method: "PUT", path: `${path}/scaling-lock`, body: { kind: "json", value: { locked } } },
      scalingLockSchema,
    ),

  getLock: (connection: Connection, path: string): Promise<ScalingLock> =>
    requestJson(connection, { method: "GET", path: `${path}/scaling-lock` }, scalingLockSchema),

  reboot: (connection: Connection, path: string, route: "reboot" | "power-cycle"): Promise<void> =>
    requestNothing(connection, {
      method: "POST",
      path: `${path}/${route}`,
    }),
};
