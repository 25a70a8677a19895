import {
  autoscaleSchema,
  limitsSetSchema,
  scaledSandboxSchema,
  scaleRequestSchema,
  scalingLockSchema,
  setAutoscaleRequestSchema,
  setLimitsRequestSchema,
  setScalingLockRequestSchema,
} from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { type RebootDeps, rebootSandbox } from "../../sandboxes/reboot-sandbox.ts";
import {
  autoscaleOf,
  type ScalingDeps,
  scaleSandbox,
  scalingLockOf,
  setAutoscale,
  setScalingLock,
} from "../../sandboxes/scale-sandbox.ts";
import { noContent } from "../no-content.ts";
import { findPresentSandbox } from "../routed-operation.ts";

export interface ScalingRoutes {
  scaling: ScalingDeps;
  reboot: RebootDeps;
}

const paramsSchema = z.object({ id: z.string() });

/** The size of a sandbox, and its reboot. */
export const scalingRoutes: FastifyPluginAsyncZod<ScalingRoutes> = async (app, deps) => {
  const { scaling, reboot } = deps;
  const find = (request: { orgId: string; params: { id: string } }) =>
    findPresentSandbox(scaling.sandboxes, request.orgId, request.params.id);

  app.post(
    "/sandboxes/:id/scale",
    {
      schema: {
        summary: "Change the memory of a sandbox while it runs; disables autoscale",
        params: paramsSchema,
        body: scaleRequestSchema,
        response: { 200: scaledSandboxSchema },
      },
    },
    async (request) => {
      const { memoryMB } = request.body;
      return scaleSandbox(scaling, await find(request), { memoryMB, cpuPercent: null });
    },
  );

  app.put(
    "/sandboxes/:id/limits",
    {
      schema: {
        summary: "Change the memory and the CPU time of a sandbox while it runs",
        params: paramsSchema,
        body: setLimitsRequestSchema,
        response: { 200: limitsSetSchema },
      },
    },
    async (request) => {
      const { memoryMB = null, cpuPercent = null } = request.body;
      await scaleSandbox(scaling, await find(request), { memoryMB, cpuPercent });
      return { ok: true as const };
    },
  );

  app.get(
    "/sandboxes/:id/autoscale",
    {
      schema: {
        summary: "Get the autoscale settings of a sandbox",
        params: paramsSchema,
        response: { 200: autoscaleSchema },
      },
    },
    async (request) => autoscaleOf(await find(request)),
  );

  app.put(
    "/sandboxes/:id/autoscale",
    {
      schema: {
        summary: "Have the memory of a sandbox follow its use between two bounds, or not",
        params: paramsSchema,
        body: setAutoscaleRequestSchema,
        response: { 200: autoscaleSchema },
      },
    },
    async (request) => {
      const { enabled, minMemoryMB, maxMemoryMB } = request.body;
      return setAutoscale(scaling, await find(request), {
        enabled,
        minMemoryMB: minMemoryMB || null,
        maxMemoryMB: maxMemoryMB || null,
      });
    },
  );

  app.get(
    "/sandboxes/:id/scaling-lock",
    {
      schema: {
        summary: "Get whether the size of a sandbox is locked",
        params: paramsSchema,
        response: { 200: scalingLockSchema },
      },
    },
    async (request) => scalingLockOf(await find(request)),
  );

  app.put(
    "/sandboxes/:id/scaling-lock",
    {
      schema: {
        summary: "Lock the size of a sandbox, which disables autoscale, or unlock it",
        params: paramsSchema,
        body: setScalingLockRequestSchema,
        response: { 200: scalingLockSchema },
      },
    },
    async (request) => setScalingLock(scaling, await find(request), request.body.locked),
  );

  for (const [route, orderly, summary] of [
    ["reboot", true, "Reboot a sandbox from its disk in an orderly way; its sessions end"],
    ["power-cycle", false, "End a sandbox at once and boot it from its disk; its sessions end"],
  ] as const) {
    app.post(
      `/sandboxes/:id/${route}`,
      { schema: { summary, params: paramsSchema, response: noContent } },
      async (request, reply) => {
        await rebootSandbox(reboot, await find(request), { orderly });
        return reply.code(204).send();
      },
    );
  }
};
