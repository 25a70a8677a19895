import { prepareSandboxRequestSchema } from "@opencomputer/protocol";
import { z } from "zod";
import { processIdentitySchema } from "../process/process-identity.ts";

/**
 * `machine.json`: all that a restarted worker needs to take a machine over.
 * `sandbox` is null while it waits in the pool. `isStarted` is true once the
 * guest is configured.
 */
export const machineRecordSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  process: processIdentitySchema,
  slotIndex: z.int().min(0),
  goldenFingerprint: z.string(),
  accelerator: z.enum(["kvm", "tcg"]),
  sandbox: prepareSandboxRequestSchema.nullable(),
  isStarted: z.boolean(),
});
export type MachineRecord = z.infer<typeof machineRecordSchema>;
