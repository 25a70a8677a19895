import { z } from "zod";

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** The files of an image beside its `image.json`. */
export const imageParts = ["kernel", "initramfs", "base.raw"] as const;

const partSchema = z.object({ sizeBytes: z.int().min(1), sha256: sha256Schema });

/**
 * `image.json`. Its presence means that the image is whole. `fingerprint` is
 * of everything the image was made from; `kernelCommandLine` is what its
 * kernel is to be started with.
 */
export const imageManifestSchema = z.object({
  fingerprint: sha256Schema,
  kernelVersion: z.string().min(1),
  kernelCommandLine: z.string().min(1),
  builtAt: z.iso.datetime(),
  parts: z.object({ kernel: partSchema, initramfs: partSchema, "base.raw": partSchema }),
});
export type ImageManifest = z.infer<typeof imageManifestSchema>;
