import { z } from "zod";
import { limits } from "../api/limits.ts";
import { memoryMBSchema } from "../api/rules/sandbox-size.ts";

/**
 * Where a guest reaches the worker's metadata service: `address`, port 80. The
 * slot's rules send that to `port` of the egress address.
 */
export const metadataService = { address: "169.254.169.254", port: 8254 } as const;

/** How a sandbox may change its size. */
export const sandboxScalingSchema = z.object({
  /** CPU time of its commands, 100 for each CPU; null for no limit but its CPUs. */
  cpuPercent: z.int().min(limits.cpuPercentMin).nullable(),
  /** What its owner chose last, in MB: without autoscale the guest may not scale beyond it. */
  ownerMemoryMB: memoryMBSchema,
  /** Null until it was set. The bounds stay while it is disabled. */
  autoscale: z
    .object({
      enabled: z.boolean(),
      minMemoryMB: memoryMBSchema,
      maxMemoryMB: memoryMBSchema,
    })
    .nullable(),
  /** Neither owner, guest nor autoscale may change the size. */
  locked: z.boolean(),
});
export type SandboxScaling = z.infer<typeof sandboxScalingSchema>;

/** What a sandbox of `memoryMB` has that was never scaled. */
export function initialScaling(memoryMB: number): SandboxScaling {
  return { cpuPercent: null, ownerMemoryMB: memoryMB, autoscale: null, locked: false };
}

/** The size of a sandbox now. The worker is where it changes; the control plane's row follows. */
export const sandboxSizeSchema = z.object({
  memoryMB: memoryMBSchema,
  scaling: sandboxScalingSchema,
});
export type SandboxSize = z.infer<typeof sandboxSizeSchema>;

/**
 * Body of `POST /v1/sandboxes/:id/scale`, control plane to worker. Responds with
 * the sandbox; errors `scaling_locked`, `oom_floor`, `unsupported_option`.
 */
export const workerScaleRequestSchema = z.strictObject({
  memoryMB: memoryMBSchema.nullable(),
  cpuPercent: z
    .int()
    .min(limits.cpuPercentMin)
    .max(limits.cpuCountMax * 100)
    .nullable(),
});
export type WorkerScaleRequest = z.infer<typeof workerScaleRequestSchema>;

/** Body of `PUT /v1/sandboxes/:id/autoscale`; null bounds keep those it has. Responds with the sandbox. */
export const workerAutoscaleRequestSchema = z.strictObject({
  enabled: z.boolean(),
  minMemoryMB: memoryMBSchema.nullable(),
  maxMemoryMB: memoryMBSchema.nullable(),
});
export type WorkerAutoscaleRequest = z.infer<typeof workerAutoscaleRequestSchema>;

/** Body of `PUT /v1/sandboxes/:id/scaling-lock`. Responds with the sandbox. */
export const workerScalingLockRequestSchema = z.strictObject({ locked: z.boolean() });

/**
 * Body of `POST /v1/sandboxes/:id/reboot`. Its machine ends, orderly or at
 * once, and another one is prepared that boots from the disk; `start` follows.
 */
export const rebootSandboxRequestSchema = z.strictObject({ orderly: z.boolean() });
export type RebootSandboxRequest = z.infer<typeof rebootSandboxRequestSchema>;

/** What the commands of a guest may take together, in `POST /v1/configure` and `POST /v1/limits`. */
export const guestLimitsSchema = z.object({
  memoryBytesMax: z.int().min(1),
  processCountMax: z.int().min(1),
  /** 100 for each CPU; 0 for no limit. */
  cpuPercentMax: z.int().min(0),
});
export type GuestLimits = z.infer<typeof guestLimitsSchema>;

/** Response of `POST /v1/limits`. Not applied: the commands use `memoryUsedBytes`, which is more. */
export const guestLimitsOutcomeSchema = z.object({
  applied: z.boolean(),
  memoryUsedBytes: z.int().min(0),
});
export type GuestLimitsOutcome = z.infer<typeof guestLimitsOutcomeSchema>;

/** Response of `GET /v1/usage`: what the commands use, without cache that can be dropped. */
export const guestUsageSchema = z.object({ memoryUsedBytes: z.int().min(0) });
