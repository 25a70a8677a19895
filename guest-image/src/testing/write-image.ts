import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ImageManifest, imageParts } from "../image/built-image.ts";

/** Writes an image with tiny parts, each of which has the fingerprint as its content. */
export async function writeImage(
  directory: string,
  fingerprint: string,
  builtAt = new Date(),
): Promise<ImageManifest> {
  const part = { sizeBytes: fingerprint.length };
  const manifest: ImageManifest = {
    fingerprint,
    kernelVersion: "6.1.0",
    kernelCommandLine: "quiet",
    builtAt: builtAt.toISOString(),
    parts: { kernel: part, initramfs: part, "base.raw": part },
  };
  await mkdir(directory, { recursive: true });
  for (const name of imageParts) await writeFile(join(directory, name), fingerprint);
  await writeFile(join(directory, "image.json"), JSON.stringify(manifest));
  return manifest;
}
