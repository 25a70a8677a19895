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
export type ServiceStateMessage = z.infer<typeof serviceStateMessageSchema>;
