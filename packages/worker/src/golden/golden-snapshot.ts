import { join } from "node:path";
import { z } from "zod";
import { readJsonFile } from "../files/write-json-file.ts";

/** `golden.json`, written last: without it a snapshot is not taken for one. */
export const goldenManifestSchema = z.object({
  imageFingerprint: z.string(),
  /** Which QEMU can load it; see `machineFingerprint`. */
  machineFingerprint: z.string(),
  baseMemoryMB: z.int().min(1),
  diskMB: z.int().min(1),
});
export type GoldenManifest = z.infer<typeof goldenManifestSchema>;

/** A machine saved after its guest has booted, trusts the installation's CA and is warm. */
export interface GoldenSnapshot extends GoldenManifest {
  readonly fingerprint: string;
  readonly memoryPath: string;
  readonly statePath: string;
  /** An empty layer over the snapshot's disk; its copy is a machine's disk. */
  readonly overlayPath: string;
}

/** The files of a snapshot; the directory may be one that is being filled. */
export function goldenPaths(directory: string) {
  return {
    memoryPath: join(directory, "memory"),
    statePath: join(directory, "state"),
    diskPath: join(directory, "disk.qcow2"),
    overlayPath: join(directory, "overlay.qcow2"),
    manifestPath: join(directory, "golden.json"),
  };
}

/** A finished snapshot; undefined when there is none. */
export async function openGolden(
  goldenDirectory: string,
  fingerprint: string,
): Promise<GoldenSnapshot | undefined> {
  const paths = goldenPaths(join(goldenDirectory, fingerprint));
  const manifest = await readJsonFile(paths.manifestPath, goldenManifestSchema);
  return manifest === undefined ? undefined : { fingerprint, ...manifest, ...paths };
}
