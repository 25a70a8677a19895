import { readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** The files of an image beside its `image.json`. */
export const imageParts = ["kernel", "initramfs", "base.raw"] as const;

const partSchema = z.object({ sizeBytes: z.int().min(1) });

/**
 * `image.json`. Its presence means that the image is complete. `fingerprint` is
 * of everything the image was made from; `kernelCommandLine` is for its kernel.
 */
export const imageManifestSchema = z.object({
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  kernelVersion: z.string().min(1),
  kernelCommandLine: z.string().min(1),
  builtAt: z.iso.datetime(),
  parts: z.object({ kernel: partSchema, initramfs: partSchema, "base.raw": partSchema }),
});
export type ImageManifest = z.infer<typeof imageManifestSchema>;

/**
 * Reads the manifest of the image in `directory`; `undefined` when the image is
 * incomplete: no manifest, one of another form, or a part of another size.
 */
export async function readBuiltImage(directory: string): Promise<ImageManifest | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, "image.json"), "utf8");
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  const manifest = imageManifestSchema.safeParse(parseJson(text));
  if (!manifest.success) return undefined;
  for (const part of imageParts) {
    if ((await sizeOf(join(directory, part))) !== manifest.data.parts[part].sizeBytes) {
      return undefined;
    }
  }
  return manifest.data;
}

/**
 * Moves a complete image into place. The old manifest is deleted first and the
 * new one is moved last, so that a manifest never exists beside parts of another
 * image.
 */
export async function publishImage(partial: string, outputDirectory: string): Promise<void> {
  await rm(join(outputDirectory, "image.json"), { force: true });
  for (const name of [...imageParts, "image.json"]) {
    await rename(join(partial, name), join(outputDirectory, name));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
