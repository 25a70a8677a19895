import { z } from "zod";
import type { StoredRecord } from "../files/record-kind.ts";
import { processorModel } from "./processor-model.ts";

export const acceleratorSchema = z.enum(["kvm", "tcg"]);
export type Accelerator = z.infer<typeof acceleratorSchema>;

/**
 * The machine that a guest sees. A saved state loads only into the very same
 * one, so its record keeps the shape, whatever new machines are given.
 */
export const machineShapeSchema = z.object({
  accelerator: acceleratorSchema,
  /** Memory of a machine before any is plugged. */
  baseMemoryMB: z.int().min(1),
  /** QEMU's name of the chipset with its version: the same devices in every later QEMU. */
  machineType: z.string().regex(/^[a-z0-9.-]+$/),
  /** The value of QEMU's `-cpu`. */
  processorModel: z.string().regex(/^[A-Za-z0-9_.,=+-]+$/),
});
export type MachineShape = z.infer<typeof machineShapeSchema>;

/**
 * The shape of new machines.
 *
 * @param hostFlags The features of the host's processor, of which machines with KVM have some.
 */
export function newMachineShape(
  accelerator: Accelerator,
  baseMemoryMB: number,
  hostFlags: ReadonlySet<string> = new Set(),
): MachineShape {
  return {
    accelerator,
    baseMemoryMB,
    machineType: "pc-q35-7.2",
    processorModel: processorModel(accelerator, hostFlags),
  };
}

/** What machines were given while records had no shape. */
export function addFirstShape(record: StoredRecord): StoredRecord {
  const { accelerator } = z.looseObject({ accelerator: acceleratorSchema }).parse(record);
  return {
    ...record,
    machineType: "q35",
    processorModel: accelerator === "kvm" ? "host" : "max,erms=off",
  };
}

/** The shape alone, of a record that has one. */
export function shapeOf(record: MachineShape): MachineShape {
  const { accelerator, baseMemoryMB, machineType, processorModel } = record;
  return { accelerator, baseMemoryMB, machineType, processorModel };
}
