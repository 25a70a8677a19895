import { z } from "zod";
import { limits } from "../api/limits.ts";
import { environmentVariablesSchema } from "../api/rules/environment.ts";
import { sandboxIdSchema, uuidSchema } from "../api/rules/identifiers.ts";
import { cpuCountSchema, memoryMBSchema } from "../api/rules/sandbox-size.ts";
import { checkpointKindSchema } from "../api/shapes/checkpoints.ts";
import { sessionIdSchema } from "../api/shapes/command-sessions.ts";
import { openTerminalRequestSchema } from "../api/shapes/terminals.ts";
import { egressModeSchema, egressPortsSchema } from "./egress.ts";
import { sandboxScalingSchema, sandboxSizeSchema } from "./scaling.ts";

/**
 * Body of `POST /v1/sandboxes`, control plane to worker. The virtual machine
 * gets a slot and stays paused until `POST /v1/sandboxes/:id/start`: by then the
 * egress proxy knows its address.
 * `envs` is the environment of every command: tokens and plain
 * values, never a secret value. `checkpointId` is what the machine starts
 * from, null for the base image: with its memory when the checkpoint has it,
 * else by a boot from its disk. `diskMB` is null for the disk of what it starts
 * from; one that started from an older, smaller base image may have less than a
 * new sandbox may ask for.
 */
export const prepareSandboxRequestSchema = z.object({
  sandboxId: sandboxIdSchema,
  cpuCount: cpuCountSchema,
  memoryMB: memoryMBSchema,
  diskMB: z.int().min(1).max(limits.diskMBMax).nullable(),
  egressMode: egressModeSchema,
  /** Absent when an older version made it. */
  egressPorts: egressPortsSchema.optional(),
  envs: environmentVariablesSchema,
  checkpointId: uuidSchema.nullable(),
  /** Absent for a sandbox that was never scaled. */
  scaling: sandboxScalingSchema.optional(),
});
export type PrepareSandboxRequest = z.infer<typeof prepareSandboxRequestSchema>;

/**
 * - `prepared`: has a slot and is paused; `start` resumes it.
 * - `running`: accepts commands.
 * - `hibernated`: holds nothing of the host but its files; `wake` prepares it
 *   again. A machine that ended by itself comes here too, without its memory.
 */
export const workerSandboxStateSchema = z.enum(["prepared", "running", "hibernated"]);

/**
 * `sourceAddress` and `machineId` are null while it is hibernated. `machineId`
 * is the id of the machine that holds the slot: the worker mints one whenever
 * it gives a sandbox a machine, so that two machines that had the same address,
 * one after the other, are never taken for each other. `memory` is how the
 * sandbox continues: `kept` with its memory, `lost` by a boot from its disk;
 * `lostBecause` is then the reason. `size` is present unless the worker is older.
 */
export const workerSandboxSchema = z.object({
  sandboxId: sandboxIdSchema,
  state: workerSandboxStateSchema,
  sourceAddress: z.ipv4().nullable(),
  machineId: z.uuid().nullable(),
  memory: z.enum(["kept", "lost"]),
  lostBecause: z.string().nullable(),
  size: sandboxSizeSchema.optional(),
  /** Which of its hooks failed at its last start, and how; absent when none did. */
  hookError: z.string().optional(),
});
export type WorkerSandbox = z.infer<typeof workerSandboxSchema>;
export const workerSandboxListSchema = z.array(workerSandboxSchema);

/**
 * Body of `POST /v1/sandboxes/:id/start`, which may be absent. The commands of these sessions are
 * killed before anything of the sandbox runs on, and started again.
 */
export const startSandboxRequestSchema = z
  .object({
    restartSessions: z.array(sessionIdSchema).max(limits.restartedSessionsMax).default([]),
  })
  .nullish();

/**
 * Body of `POST /v1/sandboxes/:id/wake`: the policy and the environment that
 * it has from now on. Returns a sandbox in state `prepared`; `start` follows.
 * One that is prepared or running already is returned unchanged.
 */
export const wakeSandboxRequestSchema = z.object({
  egressMode: egressModeSchema,
  /** Absent when an older version made it. */
  egressPorts: egressPortsSchema.optional(),
  envs: environmentVariablesSchema,
});
export type WakeSandboxRequest = z.infer<typeof wakeSandboxRequestSchema>;

/** Response of `POST /v1/sandboxes/:id/hibernate`. `sizeBytes` is the disk space of its files. */
export const hibernatedSandboxSchema = z.object({ sizeBytes: z.int().min(0) });
export type HibernatedSandbox = z.infer<typeof hibernatedSandboxSchema>;

/**
 * Body of `PUT /v1/checkpoints/:checkpointId`. Responds when the checkpoint
 * is complete; the sandbox runs meanwhile, except for a short pause. The same
 * request again returns the same.
 */
export const makeCheckpointRequestSchema = z.object({
  sandboxId: sandboxIdSchema,
  kind: checkpointKindSchema,
});
export type MakeCheckpointRequest = z.infer<typeof makeCheckpointRequestSchema>;

/** A complete checkpoint. `sizeBytes` is the disk space that nothing else that is saved shares. */
export const workerCheckpointSchema = z.object({
  checkpointId: uuidSchema,
  kind: checkpointKindSchema,
  /** What the sandbox had; absent from an older worker. */
  memoryMB: z.int().optional(),
  sizeBytes: z.int().min(0),
  /** How long the sandbox was paused. */
  pauseMilliseconds: z.number().min(0),
});
export type WorkerCheckpoint = z.infer<typeof workerCheckpointSchema>;
/** Response of `GET /v1/checkpoints`. `DELETE /v1/checkpoints/:checkpointId` responds with 204, or 404. */
export const workerCheckpointListSchema = z.array(workerCheckpointSchema);

/**
 * Body of `POST /v1/sandboxes/:id/restore`: the sandbox's machine is replaced
 * by one that starts from the checkpoint, which is checked first. Returns a
 * sandbox in state `prepared`; `start` follows.
 */
export const restoreSandboxRequestSchema = wakeSandboxRequestSchema.extend({
  checkpointId: uuidSchema,
});
export type RestoreSandboxRequest = z.infer<typeof restoreSandboxRequestSchema>;

/**
 * What counts as use of the CPU: an interval in which the process of a machine
 * took at least this share of one CPU, on average. A guest that does nothing
 * takes a fraction of that, also where it is emulated.
 */
export const cpuUseRule = { intervalSeconds: 10, percentMin: 5 } as const;

/**
 * Response of `GET /v1/sandboxes/:id/use`: what the worker knows since it
 * started, for a sandbox that runs. `lastUsedAt` is when bytes of a command, a
 * file, a terminal or a preview passed last, null when none did; `operations`
 * are those under way, each of which counts as use until it ends.
 * `cpuLastUsedAt` is the end of the last interval that counts as use of the CPU;
 * the begin of a machine counts, and so does that of the worker. It is null,
 * like all the rest, for a sandbox that does not run.
 */
export const sandboxUseSchema = z.object({
  lastUsedAt: z.iso.datetime().nullable(),
  operations: z.int().min(0),
  cpuLastUsedAt: z.iso.datetime().nullable(),
});
export type SandboxUse = z.infer<typeof sandboxUseSchema>;

/** Body of `PUT /v1/trust`: the public certificate that every guest has to trust. */
export const trustRequestSchema = z.object({
  certificatePem: z.string().startsWith("-----BEGIN CERTIFICATE-----"),
});

/**
 * Response of `GET /v1/status`. `stage` is what the worker does before it can
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
  /** Whether the host bounds what each machine takes of its CPUs and memory. */
  limitsEnforced: z.boolean(),
  /**
   * Directories of machines and of saved machines that the worker cannot read.
   * It leaves them as they are, and deletes nothing that may be theirs.
   */
  quarantined: z.array(z.string()),
});
export type WorkerStatus = z.infer<typeof workerStatusSchema>;

/** Body of `POST /v1/sandboxes/:id/pty`: the API's, and where the shell starts. */
export const workerTerminalRequestSchema = openTerminalRequestSchema.extend({
  cwd: z.string().nullish(),
});
export type WorkerTerminalRequest = z.infer<typeof workerTerminalRequestSchema>;
