import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

/** What a snapshot depends on. */
export interface GoldenInputs {
  readonly imageFingerprint: string;
  readonly certificatePem: string;
  readonly machineFingerprint: string;
}

/** Identifies the inputs of a snapshot: other inputs need another snapshot. 32 hexadecimal digits. */
export function goldenFingerprint(inputs: GoldenInputs): string {
  const { imageFingerprint, certificatePem, machineFingerprint } = inputs;
  const text = JSON.stringify([imageFingerprint, certificatePem, machineFingerprint]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/**
 * Names a snapshot by what was baked: each bake writes another guest, so equal
 * inputs give other bytes. Of the lengths and contents of the files, in
 * their order; 32 hexadecimal digits.
 */
export async function goldenDigest(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths) {
    hash.update(`${(await stat(path)).size}\n`);
    for await (const bytes of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      hash.update(bytes);
    }
  }
  return hash.digest("hex").slice(0, 32);
}
