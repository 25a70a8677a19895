import { z } from "zod";
import { environmentSchema } from "../api/sandboxes.ts";
import { sandboxIdSchema } from "../identifiers.ts";
import { limits } from "../limits.ts";
import { egressModeSchema } from "./egress.ts";

/**
 * Body of `POST /v1/sandboxes`, control plane to worker. The virtual machine
 * is given a slot and stands ready, but not one instruction of it runs until
 * `POST /v1/sandboxes/:id/start`: by then the proxy knows its address.
 * `envs` is what every command finds in its environment: tokens and plain
 * values, never a secret value.
 */
export const prepareSandboxRequestSchema = z.object({
  sandboxId: sandboxIdSchema,
  cpuCount: z.int().min(limits.cpuCountMin).max(limits.cpuCountMax),
  memoryMB: z.int().min(limits.memoryMBMin).max(limits.memoryMBMax),
  diskMB: z.int().min(limits.diskMBMin).max(limits.diskMBMax).nullable(),
  egressMode: egressModeSchema,
  envs: environmentSchema,
});
export type PrepareSandboxRequest = z.infer<typeof prepareSandboxRequestSchema>;

/** `failed`: the machine ended by itself; it holds its slot until it is deleted. */
export const workerSandboxStateSchema = z.enum(["prepared", "running", "failed"]);

export const workerSandboxSchema = z.object({
  sandboxId: sandboxIdSchema,
  state: workerSandboxStateSchema,
  sourceAddress: z.ipv4(),
});
export type WorkerSandbox = z.infer<typeof workerSandboxSchema>;
export const workerSandboxListSchema = z.array(workerSandboxSchema);

/** Body of `PUT /v1/trust`: the public certificate that every guest has to trust. */
export const trustRequestSchema = z.object({
  certificatePem: z.string().startsWith("-----BEGIN CERTIFICATE-----"),
});

/**
 * Answer of `GET /v1/status`. `stage` is what the worker does before it can
 * take sandboxes, for people to read. A new `instanceId` means that it
 * restarted; running machines are adopted by then.
 */
export const workerStatusSchema = z.object({
  instanceId: z.uuid(),
  ready: z.boolean(),
  stage: z.string(),
  /** Why the worker cannot become ready; null while it still can. */
  failure: z.string().nullable(),
  accelerator: z.enum(["kvm", "tcg"]).nullable(),
  cpuCountMax: z.int().min(1),
  memoryMBMax: z.int().min(1),
  sandboxCount: z.int().min(0),
});
export type WorkerStatus = z.infer<typeof workerStatusSchema>;
