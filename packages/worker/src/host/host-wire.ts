import { egressModeSchema, limits } from "@opencomputer/protocol";
import { z } from "zod";
import { diskSchema, layerIdSchema } from "../disks/create-layers.ts";
import { processIdentitySchema } from "../process/process-identity.ts";
import { machineShapeSchema } from "../vm/machine-shape.ts";

/** Slots of an installation; each has at most one machine. */
const slotsMax = 1024;
/** Layers of one disk. Deep disks are flattened long before. */
const layersMax = 4096;
const kernelCommandLineCharactersMax = 4096;

/** Names a machine: 16 hexadecimal digits. */
const machineIdSchema = z.string().regex(/^[0-9a-f]{16}$/);
const slotIndexSchema = z
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

/** A directory in which a guest image is booted, below the golden snapshots. */
const bootDirectorySchema = z.string().regex(/^(accelerator-probe|[0-9a-f]{32}\.new)$/);

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

/** What can be asked for, by the name of a {@link Host}'s method: what it takes, and what it returns. */
export const hostCalls = {
  describe: { request: z.tuple([]), response: z.object({ limitsEnforced: z.boolean() }) },
  setUpNetwork: { request: z.tuple([]), response: z.null() },
  tearDownNetwork: { request: z.tuple([]), response: z.null() },
  listSlots: { request: z.tuple([]), response: z.array(z.int().min(0)) },
  openSlot: { request: z.tuple([slotIndexSchema]), response: z.null() },
  setSlotMode: {
    request: z.tuple([slotIndexSchema, z.union([egressModeSchema, z.literal("closed")])]),
    response: z.null(),
  },
  closeSlots: { request: z.tuple([z.array(slotIndexSchema).max(slotsMax)]), response: z.null() },
  startMachine: { request: z.tuple([machineStartSchema]), response: processIdentitySchema },
  endMachine: { request: z.tuple([processIdentitySchema]), response: machineEndSchema },
  endOtherMachines: { request: z.tuple([keptMachinesSchema]), response: z.null() },
  limitMachine: {
    request: z.tuple([
      machineIdSchema,
      z.strictObject({
        cpuPercent: z.number().min(1).max(100_000),
        memoryMB: z
          .int()
          .min(1)
          .max(1024 * 1024),
        isBackground: z.boolean(),
      }),
    ]),
    response: z.null(),
  },
  removeGroup: { request: z.tuple([machineIdSchema]), response: z.null() },
  removeGroupsBut: {
    request: z.tuple([z.array(machineIdSchema).max(slotsMax)]),
    response: z.null(),
  },
  tearDownGroups: { request: z.tuple([]), response: z.null() },
  showLayers: {
    request: z.tuple([machineIdSchema, z.array(layerIdSchema).max(layersMax)]),
    response: z.null(),
  },
  hideLayers: { request: z.tuple([machineIdSchema]), response: z.null() },
  giveLayer: { request: z.tuple([layerIdSchema, slotIndexSchema]), response: z.null() },
  rebaseLayer: { request: z.tuple([layerIdSchema, diskSchema]), response: z.null() },
} as const;
export type HostCall = keyof typeof hostCalls;
export const hostFailureSchema = z.object({ error: z.string() });
