import { createHash } from "node:crypto";
import type { MachineShape } from "../vm/qemu-arguments.ts";

/** What a snapshot depends on. */
export interface GoldenInputs {
  readonly imageFingerprint: string;
  readonly certificatePem: string;
  readonly shape: MachineShape;
  readonly hypervisorVersion: string;
  /** Under KVM a guest sees the host's processor and restores only on the same. */
  readonly processor: string;
  /** The machine's arguments without its paths. */
  readonly machineArguments: readonly string[];
}

/** Same inputs, same snapshot; anything else bakes a new one. 32 hexadecimal digits. */
export function goldenFingerprint(inputs: GoldenInputs): string {
  const { shape } = inputs;
  const text = JSON.stringify([
    inputs.imageFingerprint,
    inputs.certificatePem,
    shape.accelerator,
    shape.baseMemoryMB,
    inputs.hypervisorVersion,
    shape.accelerator === "kvm" ? inputs.processor : "",
    inputs.machineArguments,
  ]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
