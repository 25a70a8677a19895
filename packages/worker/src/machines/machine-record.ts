import { prepareSandboxRequestSchema } from "@opencomputer/protocol/wire";
import { z } from "zod";
import { diskSchema } from "../disks/create-layers.ts";
import type { RecordKind } from "../files/record-kind.ts";
import { processIdentitySchema } from "../process/process-identity.ts";
import { addFirstShape, machineShapeSchema } from "../vm/machine-shape.ts";

/**
 * How far a machine has come. `prepared`: it has not run for a sandbox.
 * `released`: it may run. `started`: its guest is configured.
 */
const machinePhaseSchema = z.enum(["prepared", "released", "started"]);

/**
 * `machine.json`: all that a restarted worker needs to adopt a machine.
 * `sandbox` is null while it waits in the pool. `cpuCount`, `memoryMB`
 * and `diskMB` are what it had when it was made; `hasMemory` is false for one that
 * boots, and `lostBecause` is why, when it had some.
 */
export const machineRecordSchema = machineShapeSchema.extend({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  process: processIdentitySchema,
  slotIndex: z.int().min(0),
  imageFingerprint: z.string(),
  cpuCount: z.int().min(1),
  memoryMB: z.int().min(1),
  diskMB: z.int().min(1),
  hasMemory: z.boolean(),
  /** No sandbox has used it before. */
  isFresh: z.boolean(),
  /** It continues a hibernated machine, which no other does. False for one of an older worker. */
  isContinuation: z.boolean(),
  lostBecause: z.string().nullable(),
  disk: diskSchema,
  sandbox: prepareSandboxRequestSchema.nullable(),
  /** Its id on the wires, minted when a sandbox gets it; null before, and for one of an older worker. */
  machineId: z.uuid().nullable(),
  /** When it began to run as its sandbox's; null before, and for one of an older worker. */
  startedAtUnixMilliseconds: z.int().nullable(),
  /** Which of its hooks failed at its start, and how. */
  hookError: z.string().nullable(),
  phase: machinePhaseSchema,
});
export type MachineRecord = z.infer<typeof machineRecordSchema>;

/** What records of version 1 got one after the other. */
const laterThanFirst = {
  machineId: null,
  startedAtUnixMilliseconds: null,
  isContinuation: false,
  hookError: null,
};

export const machineRecordKind: RecordKind<typeof machineRecordSchema> = {
  schema: machineRecordSchema,
  migrations: [(record) => addFirstShape({ ...laterThanFirst, ...record })],
};
