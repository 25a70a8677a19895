import { createHash } from "node:crypto";
import type { HostProcessor } from "./host-processor.ts";
import type { MachineShape } from "./machine-shape.ts";
import { kernelArguments, machineArguments } from "./qemu-arguments.ts";

/**
 * Identifies what saved memory depends on: it loads only into a machine of the
 * same fingerprint. 32 hexadecimal digits.
 */
export function machineFingerprint(inputs: {
  readonly shape: MachineShape;
  readonly hypervisorVersion: string;
  readonly processor: Pick<HostProcessor, "name" | "vendor">;
}): string {
  const { shape, hypervisorVersion, processor } = inputs;
  const text = JSON.stringify([
    hypervisorVersion,
    processorOf(shape, processor),
    ...machineArguments(shape),
    kernelArguments,
  ]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/**
 * What the guest sees of the host's processor: nothing when it is emulated, all of it in machines
 * of earlier versions with KVM, which have no named model, and otherwise what depends on its vendor.
 */
function processorOf(
  { accelerator, processorModel }: MachineShape,
  { name, vendor }: Pick<HostProcessor, "name" | "vendor">,
): string {
  if (accelerator === "tcg") return "";
  return processorModel === "host" ? name : vendor;
}
