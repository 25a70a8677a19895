import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type RecordKind, readRecord } from "../files/record-kind.ts";
import type { Origin } from "../machines/origin.ts";
import type { MachineShape } from "../vm/machine-shape.ts";

const nameSchema = z.string().regex(/^[0-9a-f]{32}$/);

/** `golden.json`, written last: a directory without it is not a snapshot. */
export const goldenManifestSchema = z.object({
  /** What it was baked from; null for one that is named by it. */
  inputsFingerprint: nameSchema.nullable(),
  imageFingerprint: z.string(),
  /** Identifies the machines that can load it; see `machineFingerprint`. */
  machineFingerprint: z.string(),
  baseMemoryMB: z.int().min(1),
  diskMB: z.int().min(1),
});
export type GoldenManifest = z.infer<typeof goldenManifestSchema>;

export const goldenManifestKind: RecordKind<typeof goldenManifestSchema> = {
  schema: goldenManifestSchema,
  migrations: [(record) => ({ inputsFingerprint: null, ...record })],
};

/** A machine saved after its guest has booted, trusts the installation's CA and is warm. */
export interface GoldenSnapshot extends GoldenManifest {
  /** Its name: see `goldenDigest`. */
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

/** Reads a finished snapshot; undefined when there is none. @throws {Error} when it cannot be read. */
export async function openGolden(
  goldenDirectory: string,
  fingerprint: string,
): Promise<GoldenSnapshot | undefined> {
  const paths = goldenPaths(join(goldenDirectory, fingerprint));
  const manifest = await readRecord(paths.manifestPath, goldenManifestKind);
  return manifest === undefined ? undefined : { fingerprint, ...manifest, ...paths };
}

/** All finished snapshots, and the names of those that cannot be read. */
export async function listGoldens(
  goldenDirectory: string,
): Promise<{ snapshots: GoldenSnapshot[]; unreadable: { name: string; error: unknown }[] }> {
  const snapshots: GoldenSnapshot[] = [];
  const unreadable: { name: string; error: unknown }[] = [];
  for (const name of (await readdir(goldenDirectory)).sort()) {
    if (!nameSchema.safeParse(name).success) continue;
    try {
      const golden = await openGolden(goldenDirectory, name);
      if (golden === undefined) throw new Error(`${name} has no manifest`);
      snapshots.push(golden);
    } catch (error) {
      unreadable.push({ name, error });
    }
  }
  return { snapshots, unreadable };
}

/** Whether a snapshot was baked from these inputs. */
export function isBakedFrom(golden: GoldenSnapshot, inputsFingerprint: string): boolean {
  return (golden.inputsFingerprint ?? golden.fingerprint) === inputsFingerprint;
}

/** A new machine, which begins where the snapshot was saved. */
export function originOfGolden(golden: GoldenSnapshot, shape: MachineShape): Origin {
  const { imageFingerprint, machineFingerprint } = golden;
  return {
    ...shape,
    imageFingerprint,
    disk: { goldenFingerprint: golden.fingerprint, layers: [], sizeMB: golden.diskMB },
    emptyLayerPath: golden.overlayPath,
    isFresh: true,
    sandboxId: null,
    lostBecause: null,
    memory: {
      directory: `golden/${golden.fingerprint}`,
      machineFingerprint,
      cpuCount: 1,
      memoryMB: shape.baseMemoryMB,
    },
  };
}
