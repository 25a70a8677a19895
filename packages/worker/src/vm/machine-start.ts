import { limits } from "@opencomputer/protocol/api";
import { z } from "zod";
import { diskSchema, layerIdSchema } from "../disks/create-layers.ts";
import type { ProcessIdentity } from "../process/process-identity.ts";
import { machineShapeSchema } from "./machine-shape.ts";

/** Slots of an installation; each has at most one machine. */
export const slotsMax = 1024;
const kernelCommandLineCharactersMax = 4096;

/** Names a machine: 16 hexadecimal digits. */
export const machineIdSchema = z.string().regex(/^[0-9a-f]{16}$/);
export const slotIndexSchema = z
  .int()
  .min(0)
  .max(slotsMax - 1);

/** A directory with a saved memory and state, below the data directory. */
const savedDirectorySchema = z
  .string()
  .regex(
    /^(golden\/[0-9a-f]{32}|worker\/(hibernated|checkpoints)\/[0-9A-Za-z][0-9A-Za-z_-]{0,63})$/,
    "expected the directory of a saved machine, relative to the data directory",
  );

/** The directory in which a guest is booted to test whether KVM works. */
export const probeDirectoryName = "accelerator-probe";

/** A directory in which a guest image is booted, below the golden snapshots. */
const bootDirectorySchema = z.union([
  z.literal(probeDirectoryName),
  z.string().regex(/^[0-9a-f]{32}\.new$/),
]);

/**
 * A machine to be started: ids and sizes. Every path, option and user of its
 * process follows from them.
 */
export const machineStartSchema = z.strictObject({
  machineId: machineIdSchema,
  slotIndex: slotIndexSchema,
  shape: z.strictObject({
    ...machineShapeSchema.shape,
    baseMemoryMB: z.int().min(128).max(limits.memoryMBMax),
  }),
  imageFingerprint: z.string().regex(/^[0-9A-Za-z_-]{8,128}$/),
  /** One argument of QEMU, for the guest's kernel. */
  kernelCommandLine: z.string().min(1).max(kernelCommandLineCharactersMax),
  /** What its memory and state are loaded from; null for a machine that boots. */
  savedDirectory: savedDirectorySchema.nullable(),
  disk: z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("layers"),
      goldenFingerprint: diskSchema.shape.goldenFingerprint,
      /** What it writes into. */
      newestLayer: layerIdSchema,
    }),
    z.strictObject({ kind: z.literal("image"), directory: bootDirectorySchema }),
  ]),
});
export type MachineStart = z.infer<typeof machineStartSchema>;

/** How the process of a machine ended, where that is known: false where it is not. */
export const machineEndSchema = z.object({ wasKilled: z.boolean() });
export type MachineEnd = z.infer<typeof machineEndSchema>;

export const keptMachinesSchema = z.strictObject({
  processIds: z.array(z.int().min(2)).max(slotsMax),
  machineIds: z.array(machineIdSchema).max(slotsMax),
});
export type KeptMachines = z.infer<typeof keptMachinesSchema>;

/** Starts and ends the processes of machines, with rights that the worker lacks. */
export interface MachineProcesses {
  /** Starts the process of a machine in its slot and in its own control group. */
  startMachine(start: MachineStart): Promise<ProcessIdentity>;
  /** Kills that very process, if it is a machine's, and returns when it has ended. */
  endMachine(process: ProcessIdentity): Promise<MachineEnd>;
  /** Kills every machine of the installation that is not kept. */
  endOtherMachines(kept: KeptMachines): Promise<unknown>;
}
