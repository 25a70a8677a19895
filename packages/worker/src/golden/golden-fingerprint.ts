import { createHash } from "node:crypto";

/** What a snapshot depends on. */
export interface GoldenInputs {
  readonly imageFingerprint: string;
  readonly certificatePem: string;
  readonly machineFingerprint: string;
}

/** Same inputs, same snapshot; anything else bakes a new one. 32 hexadecimal digits. */
export function goldenFingerprint(inputs: GoldenInputs): string {
  const { imageFingerprint, certificatePem, machineFingerprint } = inputs;
  const text = JSON.stringify([imageFingerprint, certificatePem, machineFingerprint]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
