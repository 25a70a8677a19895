import { z } from "zod";
import { sandboxIdSchema } from "../api/rules/identifiers.ts";

const counterSchema = z.int().min(0);

/**
 * What a machine of a sandbox has taken of its host. `cpuMilliseconds` and the bytes of its
 * network count from its start: the next machine of the sandbox begins at 0. `memoryBytes` and
 * `diskBytes` are those of the moment.
 */
export const machineUsageSchema = z.object({
  sandboxId: sandboxIdSchema,
  machineId: z.uuid(),
  /** When it began to run as the sandbox's. */
  startedAt: z.iso.datetime(),
  readAt: z.iso.datetime(),
  /** Whether this is its last reading. */
  hasEnded: z.boolean(),
  /** CPU time of its process, its start included. */
  cpuMilliseconds: counterSchema,
  /** Memory of the host that its process holds, with pages that it shares with others. */
  memoryBytes: counterSchema,
  /** Allocated bytes of all layers of its disk, those that others lie on too included. */
  diskBytes: counterSchema,
  /** What the guest received and sent at its network interface. */
  networkReceivedBytes: counterSchema,
  networkSentBytes: counterSchema,
});
export type MachineUsage = z.infer<typeof machineUsageSchema>;

/**
 * Response of `GET /v1/usage`: the running machines, and the last reading of those that have
 * ended in the last few minutes, so that a sandbox that lives shortly is counted too.
 */
export const workerUsageSchema = z.array(machineUsageSchema);
