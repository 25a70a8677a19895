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

/** Response of `GET /health`, which needs no key. */
export const healthSchema = z.object({
  status: z.literal("ok"),
  /** Whether sandboxes can be created now. */
  ready: z.boolean(),
  /** Whether the host limits what each sandbox uses of it; null while that is not known. */
  limitsEnforced: z.boolean().nullable(),
  /** How many machines and saved machines the worker cannot read, and leaves alone; null while that is not known. */
  quarantinedCount: z.int().min(0).nullable(),
  /** The processes of the service, as their supervisor reports them. */
  processes: z.array(processStateSchema).readonly(),
});
export type Health = z.infer<typeof healthSchema>;
