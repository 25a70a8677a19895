import {
  autoscaleSchema,
  limitsSetSchema,
  scaledSandboxSchema,
  scaleRequestSchema,
  scalingLockSchema,
  setAutoscaleRequestSchema,
  setLimitsRequestSchema,
  setScalingLockRequestSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import type { ScalingService } from "../../sandboxes/scaling/scaling-service.ts";
import { idParamsSchema, noContent } from "./route-parts.ts";

/** The size of a sandbox, and its reboot. */
export const scalingRoutes: FastifyPluginAsyncZod<{ scaling: ScalingService }> = async (
  app,
  { scaling },
) => {
  app.post(
    "/sandboxes/:id/scale",
    {
      schema: {
        summary: "Change the memory of a sandbox while it runs; disables autoscale",
        params: idParamsSchema,
        body: scaleRequestSchema,
        response: { 200: scaledSandboxSchema },
      },
    },
    async (request) => {
      const { memoryMB } = request.body;
      return scaling.scale(request.orgId, request.params.id, { memoryMB, cpuPercent: null });
    },
  );

  app.put(
    "/sandboxes/:id/limits",
    {
      schema: {
        summary: "Change the memory and the CPU time of a sandbox while it runs",
        params: idParamsSchema,
        body: setLimitsRequestSchema,
        response: { 200: limitsSetSchema },
      },
    },
    async (request) => {
      const { memoryMB = null, cpuPercent = null } = request.body;
      await scaling.scale(request.orgId, request.params.id, { memoryMB, cpuPercent });
      return { ok: true as const };
    },
  );

  app.get(
    "/sandboxes/:id/autoscale",
    {
      schema: {
        summary: "Get the autoscale settings of a sandbox",
        params: idParamsSchema,
        response: { 200: autoscaleSchema },
      },
    },
    async (request) => scaling.getAutoscale(request.orgId, request.params.id),
  );

  app.put(
    "/sandboxes/:id/autoscale",
    {
      schema: {
        summary:
          "Enable or disable autoscale, which adjusts the memory of a sandbox to its use, between two bounds",
        params: idParamsSchema,
        body: setAutoscaleRequestSchema,
        response: { 200: autoscaleSchema },
      },
    },
    async (request) => {
      const { enabled, minMemoryMB, maxMemoryMB } = request.body;
      return scaling.setAutoscale(request.orgId, request.params.id, {
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
        params: idParamsSchema,
        response: { 200: scalingLockSchema },
      },
    },
    async (request) => scaling.getLock(request.orgId, request.params.id),
  );

  app.put(
    "/sandboxes/:id/scaling-lock",
    {
      schema: {
        summary: "Lock the size of a sandbox, which disables autoscale, or unlock it",
        params: idParamsSchema,
        body: setScalingLockRequestSchema,
        response: { 200: scalingLockSchema },
      },
    },
    async (request) => scaling.setLock(request.orgId, request.params.id, request.body.locked),
  );

  for (const [route, orderly, summary] of [
    ["reboot", true, "Reboot a sandbox from its disk in an orderly way; its sessions end"],
    ["power-cycle", false, "End a sandbox at once and boot it from its disk; its sessions end"],
  ] as const) {
    app.post(
      `/sandboxes/:id/${route}`,
      { schema: { summary, params: idParamsSchema, response: noContent } },
      async (request, reply) => {
        await scaling.reboot(request.orgId, request.params.id, { orderly });
        return reply.code(204).send();
      },
    );
  }
};
