import { z } from "zod";
import { limits } from "../limits.ts";
import { memoryMBSchema } from "../rules/sandbox-size.ts";

const cpuPercentSchema = z
  .int()
  .min(limits.cpuPercentMin)
  .max(limits.cpuCountMax * 100);

/** Body of `POST /sandboxes/:id/scale`: the memory from now on, in MB. */
export const scaleRequestSchema = z.object({ memoryMB: memoryMBSchema });

/**
 * Response of `POST /sandboxes/:id/scale`. `cpuPercent` is 100 for each CPU
 * unless it was limited; `autoscaleDisabled` is true when this call switched
 * autoscale off.
 */
export const scaledSandboxSchema = z.object({
  sandboxID: z.string(),
  memoryMB: z.int(),
  cpuPercent: z.int(),
  autoscaleDisabled: z.boolean(),
});
export type ScaledSandbox = z.infer<typeof scaledSandboxSchema>;

/**
 * Body of `PUT /sandboxes/:id/limits`: at least one of the two. `cpuPercent` is
 * the CPU time of all commands together, 100 for each CPU of the sandbox.
 */
export const setLimitsRequestSchema = z
  .object({ memoryMB: memoryMBSchema.nullish(), cpuPercent: cpuPercentSchema.nullish() })
  .refine(({ memoryMB, cpuPercent }) => (memoryMB ?? cpuPercent ?? null) !== null, {
    error: "must have memoryMB, cpuPercent or both",
  });

/** Response of `PUT /sandboxes/:id/limits`. */
export const limitsSetSchema = z.object({ ok: z.literal(true) });

/** Body of `PUT /sandboxes/:id/autoscale`. Both bounds, in MB, are required to enable it. */
export const setAutoscaleRequestSchema = z
  .object({
    enabled: z.boolean(),
    minMemoryMB: z.union([z.literal(0), memoryMBSchema]).nullish(),
    maxMemoryMB: z.union([z.literal(0), memoryMBSchema]).nullish(),
  })
  .refine(({ enabled, minMemoryMB, maxMemoryMB }) => !enabled || (minMemoryMB && maxMemoryMB), {
    error: "must have minMemoryMB and maxMemoryMB when enabled is true",
  })
  .refine(({ minMemoryMB, maxMemoryMB }) => (minMemoryMB || 0) <= (maxMemoryMB || Infinity), {
    error: "must have a minMemoryMB of at most maxMemoryMB",
  });

/** Response of `GET` and `PUT /sandboxes/:id/autoscale`. The bounds are 0 until they were set. */
export const autoscaleSchema = z.object({
  sandboxID: z.string(),
  enabled: z.boolean(),
  minMemoryMB: z.int(),
  maxMemoryMB: z.int(),
});
export type Autoscale = z.infer<typeof autoscaleSchema>;

/** Body of `PUT /sandboxes/:id/scaling-lock`. Locking disables autoscale; unlocking does not enable it again. */
export const setScalingLockRequestSchema = z.object({ locked: z.boolean() });

/** Response of `GET` and `PUT /sandboxes/:id/scaling-lock`. */
export const scalingLockSchema = z.object({ sandboxID: z.string(), locked: z.boolean() });
export type ScalingLock = z.infer<typeof scalingLockSchema>;
