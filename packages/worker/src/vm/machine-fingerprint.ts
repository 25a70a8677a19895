import { createHash } from "node:crypto";
import type { MachineShape } from "./machine-shape.ts";
import { kernelArguments, machineArguments } from "./qemu-arguments.ts";

/**
 * Tells machines apart by what their saved memory depends on: one that was
 * saved loads only into a machine of the same fingerprint. 32 hexadecimal digits.
 */
export function machineFingerprint(inputs: {
  readonly shape: MachineShape;
  readonly hypervisorVersion: string;
  /** Under KVM a guest sees the host's processor. */
  readonly processor: string;
}): string {
  const { shape, hypervisorVersion, processor } = inputs;
  const text = JSON.stringify([
    hypervisorVersion,
    shape.accelerator === "kvm" ? processor : "",
    ...machineArguments(shape),
    kernelArguments,
  ]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
