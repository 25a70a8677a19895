import { WireError } from "@opencomputer/protocol/api";
import {
  type SandboxScaling,
  workerAutoscaleRequestSchema,
  workerScaleRequestSchema,
  workerScalingLockRequestSchema,
} from "@opencomputer/protocol/wire";
import type { FastifyInstance } from "fastify";
import { type FakeMachine, type FakeMachines, sizeOf } from "./fake-machine.ts";

/** Changes of the size of machines. */
export function addScalingRoutes(
  app: FastifyInstance,
  { begin, machineOf, describe }: FakeMachines,
): void {
  const resize = (machine: FakeMachine, memoryMB: number, change: Partial<SandboxScaling>) => {
    const scaling = { ...sizeOf(machine).scaling, ...change };
    machine.request = { ...machine.request, memoryMB, scaling };
  };
  const disabled = (machine: FakeMachine) => {
    const { autoscale } = sizeOf(machine).scaling;
    return autoscale === null ? null : { ...autoscale, enabled: false };
  };
  app.post("/v1/sandboxes/:id/scale", async (request) => {
    const [id, machine] = machineOf(request.params);
    const { memoryMB, cpuPercent } = workerScaleRequestSchema.parse(request.body);
    await begin("scale", id);
    if (machine.state !== "running") throw new WireError("sandbox_not_running", "not running");
    const { scaling } = sizeOf(machine);
    resize(machine, memoryMB ?? machine.request.memoryMB, {
      cpuPercent: cpuPercent ?? scaling.cpuPercent,
      ...(memoryMB === null ? {} : { ownerMemoryMB: memoryMB, autoscale: disabled(machine) }),
    });
    return describe(id, machine);
  });
  app.put("/v1/sandboxes/:id/autoscale", async (request) => {
    const [id, machine] = machineOf(request.params);
    const wanted = workerAutoscaleRequestSchema.parse(request.body);
    const { autoscale } = sizeOf(machine).scaling;
    const minMemoryMB = wanted.minMemoryMB ?? autoscale?.minMemoryMB;
    const maxMemoryMB = wanted.maxMemoryMB ?? autoscale?.maxMemoryMB;
    if (minMemoryMB !== undefined && maxMemoryMB !== undefined) {
      const { enabled } = wanted;
      resize(machine, machine.request.memoryMB, {
        autoscale: { enabled, minMemoryMB, maxMemoryMB },
      });
    }
    return describe(id, machine);
  });
  app.put("/v1/sandboxes/:id/scaling-lock", async (request) => {
    const [id, machine] = machineOf(request.params);
    const { locked } = workerScalingLockRequestSchema.parse(request.body);
    const autoscale = locked ? disabled(machine) : sizeOf(machine).scaling.autoscale;
    resize(machine, machine.request.memoryMB, { locked, autoscale });
    return describe(id, machine);
  });
}
