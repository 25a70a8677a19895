import { z } from "zod";
import { processStateSchema } from "../../api/shapes/health.ts";

/** Message of the supervisor to the control plane, at its start and with each change. */
export const serviceStateMessageSchema = z.object({
  type: z.literal("service-state"),
  processes: z.array(processStateSchema),
});

/** What a process of the service, or the supervisor itself, takes of the host. */
export const processUsageSchema = z.object({
  name: z.string(),
  /** CPU time of all its threads since the process started. */
  cpuSeconds: z.number().min(0),
  residentMemoryBytes: z.int().min(0),
});
export type ProcessUsage = z.infer<typeof processUsageSchema>;

/** Message of the supervisor to the control plane, every few seconds while metrics are served. */
export const processUsageMessageSchema = z.object({
  type: z.literal("process-usage"),
  processes: z.array(processUsageSchema),
});

export const supervisorMessageSchema = z.discriminatedUnion("type", [
  serviceStateMessageSchema,
  processUsageMessageSchema,
]);
export type SupervisorMessage = z.infer<typeof supervisorMessageSchema>;

/** Exit codes of the service and its processes; sysexits(3) has the numbers. */
export const exitCodes = {
  /** It was stopped in order. */
  stopped: 0,
  /** It cannot run, for a reason that its last message states. */
  failed: 1,
  /** A process ended again and again before the service was ready, as without its database. A later start may succeed. */
  temporaryFailure: 75,
  /** A setting, or what the host offers, has to be changed before a start can succeed. */
  configuration: 78,
} as const;
