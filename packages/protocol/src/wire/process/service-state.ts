import { z } from "zod";

/** What the supervisor knows of one process of the service. Nothing in it is secret. */
export const processStateSchema = z.object({
  name: z.string(),
  state: z.enum(["running", "restarting"]),
  /** Since when it has been in that state. */
  since: z.iso.datetime(),
  /** How often it was started again since the service started. */
  restarts: z.int().min(0),
  /** How it ended last, such as `exit code 1` or `signal SIGKILL`; null when it never did. */
  lastExit: z.string().nullable(),
});
export type ProcessState = z.infer<typeof processStateSchema>;

/** Message of the supervisor to the control plane, at its start and with each change. */
export const serviceStateMessageSchema = z.object({
  type: z.literal("service-state"),
  processes: z.array(processStateSchema),
});

/** What a process of the service, or the supervisor itself, takes of the host. */
export const processUsageSchema = z.object({
  name: z.string(),
  /** Of all its threads, since the process started. */
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
