import {
  autoscaleSchema,
  limitsSetSchema,
  scaledSandboxSchema,
  scaleRequestSchema,
  scalingLockSchema,
  setAutoscaleRequestSchema,
  setLimitsRequestSchema,
  setScalingLockRequestSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { Exchange, Route } from "./route.ts";
import { findSandbox, type SandboxState } from "./sandbox-routes.ts";

interface Scaling {
  enabled: boolean;
  minMemoryMB: number;
  maxMemoryMB: number;
  locked: boolean;
  cpuPercent: number | undefined;
}

/** What the commands of each sandbox of the contract server use. */
const usedMemoryMB = 200;

/** Sizes of the contract server's sandboxes. */
export function scalingRoutes(sandboxes: SandboxState): Route[] {
  const known = new Map<string, Scaling>();

  function find(exchange: Exchange) {
    const { detail } = findSandbox(sandboxes, exchange);
    const scaling = known.get(detail.sandboxID) ?? {
      ...{ enabled: false, minMemoryMB: 0, maxMemoryMB: 0 },
      ...{ locked: false, cpuPercent: undefined },
    };
    known.set(detail.sandboxID, scaling);
    return { detail, scaling };
  }

  function assertUnlocked({ locked }: Scaling): void {
    if (locked) throw new WireError("scaling_locked", "The size of the sandbox is locked");
  }

  function scale(exchange: Exchange, memoryMB: number | null | undefined) {
    const { detail, scaling } = find(exchange);
    assertUnlocked(scaling);
    const autoscaleDisabled = typeof memoryMB === "number" && scaling.enabled;
    if (typeof memoryMB === "number") {
      if (memoryMB < usedMemoryMB + 100) {
        const details = {
          memoryUsedBytes: usedMemoryMB * 1024 * 1024,
          requestedMemoryMB: memoryMB,
          smallestMemoryMB: usedMemoryMB + 100,
        };
        throw new WireError("oom_floor", "The sandbox's commands use more", { details });
      }
      detail.memoryMB = memoryMB;
      scaling.enabled = false;
    }
    const { sandboxID, cpuCount } = detail;
    const cpuPercent = scaling.cpuPercent ?? cpuCount * 100;
    return { sandboxID, memoryMB: detail.memoryMB, cpuPercent, autoscaleDisabled };
  }

  const autoscaleOf = ({ detail, scaling }: ReturnType<typeof find>) => {
    const { enabled, minMemoryMB, maxMemoryMB } = scaling;
    return { sandboxID: detail.sandboxID, enabled, minMemoryMB, maxMemoryMB };
  };

  return [
    {
      method: "POST",
      path: "/sandboxes/:id/scale",
      async handle(exchange) {
        const { memoryMB } = await exchange.body(scaleRequestSchema);
        await exchange.respond(200, scaledSandboxSchema, scale(exchange, memoryMB));
      },
    },
    {
      method: "PUT",
      path: "/sandboxes/:id/limits",
      async handle(exchange) {
        const { memoryMB, cpuPercent } = await exchange.body(setLimitsRequestSchema);
        scale(exchange, memoryMB);
        const { scaling } = find(exchange);
        scaling.cpuPercent = cpuPercent ?? scaling.cpuPercent;
        await exchange.respond(200, limitsSetSchema, { ok: true });
      },
    },
    {
      method: "PUT",
      path: "/sandboxes/:id/autoscale",
      async handle(exchange) {
        const found = find(exchange);
        const wanted = await exchange.body(setAutoscaleRequestSchema);
        if (wanted.enabled) assertUnlocked(found.scaling);
        found.scaling.enabled = wanted.enabled;
        found.scaling.minMemoryMB = wanted.minMemoryMB || found.scaling.minMemoryMB;
        found.scaling.maxMemoryMB = wanted.maxMemoryMB || found.scaling.maxMemoryMB;
        await exchange.respond(200, autoscaleSchema, autoscaleOf(found));
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/autoscale",
      async handle(exchange) {
        await exchange.respond(200, autoscaleSchema, autoscaleOf(find(exchange)));
      },
    },
    {
      method: "PUT",
      path: "/sandboxes/:id/scaling-lock",
      async handle(exchange) {
        const { detail, scaling } = find(exchange);
        const { locked } = await exchange.body(setScalingLockRequestSchema);
        scaling.locked = locked;
        if (locked) scaling.enabled = false;
        await exchange.respond(200, scalingLockSchema, { sandboxID: detail.sandboxID, locked });
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/scaling-lock",
      async handle(exchange) {
        const { detail, scaling } = find(exchange);
        const { locked } = scaling;
        await exchange.respond(200, scalingLockSchema, { sandboxID: detail.sandboxID, locked });
      },
    },
    ...["reboot", "power-cycle"].map((route) => ({
      method: "POST",
      path: `/sandboxes/:id/${route}`,
      handle(exchange: Exchange) {
        find(exchange);
        exchange.done();
      },
    })),
  ];
}
