import { egressModeSchema, egressPortsSchema } from "@opencomputer/protocol/wire";
import { z } from "zod";
import { diskSchema, layerIdSchema } from "../disks/create-layers.ts";
import { processIdentitySchema } from "../process/process-identity.ts";
import {
  keptMachinesSchema,
  machineEndSchema,
  machineIdSchema,
  machineStartSchema,
  slotIndexSchema,
  slotsMax,
} from "../vm/machine-start.ts";

/** Layers of one disk. Deep disks are flattened long before. */
const layersMax = 4096;

/** What can be asked for, by the name of a {@link Host}'s method: what it takes, and what it returns. */
export const hostCalls = {
  describe: { request: z.tuple([]), response: z.object({ limitsEnforced: z.boolean() }) },
  setUpNetwork: { request: z.tuple([]), response: z.null() },
  tearDownNetwork: { request: z.tuple([]), response: z.null() },
  listSlots: { request: z.tuple([]), response: z.array(z.int().min(0)) },
  openSlot: { request: z.tuple([slotIndexSchema]), response: z.null() },
  setSlotMode: {
    request: z.tuple([
      slotIndexSchema,
      z.union([egressModeSchema, z.literal("closed")]),
      egressPortsSchema,
    ]),
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
