import { basename, dirname, join } from "node:path";
import { checkpointKindSchema } from "@opencomputer/protocol/api";
import { prepareSandboxRequestSchema, type WorkerCheckpoint } from "@opencomputer/protocol/wire";
import { z } from "zod";
import { diskSchema } from "../disks/create-layers.ts";
import type { RecordKind } from "../files/record-kind.ts";
import type { Origin } from "../machines/origin.ts";
import { addFirstShape, machineShapeSchema, shapeOf } from "../vm/machine-shape.ts";

/**
 * `saved.json`: all that is needed to make the machine again. `machineFingerprint`
 * identifies the machines that can load its memory. `sandbox` is the sandbox that
 * was hibernated, null for a checkpoint. `sizeBytes` leaves out what other saved machines need too.
 */
export const savedManifestSchema = machineShapeSchema.extend({
  kind: checkpointKindSchema,
  machineFingerprint: z.string(),
  imageFingerprint: z.string(),
  cpuCount: z.int().min(1),
  memoryMB: z.int().min(1),
  disk: diskSchema,
  sizeBytes: z.int().min(0),
  pauseMilliseconds: z.number().min(0),
  sandbox: prepareSandboxRequestSchema.nullable(),
  /** Why the machine's memory is lost; null when it is not. */
  lostBecause: z.string().nullable(),
});
export type SavedManifest = z.infer<typeof savedManifestSchema>;

export const savedManifestKind: RecordKind<typeof savedManifestSchema> = {
  schema: savedManifestSchema,
  migrations: [addFirstShape],
};

export interface SavedMachine extends SavedManifest {
  readonly id: string;
  readonly directory: string;
}

export function savedPaths(directory: string) {
  return {
    memoryPath: join(directory, "memory"),
    statePath: join(directory, "state"),
    manifestPath: join(directory, "saved.json"),
  };
}

/** An empty layer over the saved disk. It is named after the layer under it, which may change. */
export function emptyLayerPath(directory: string, layers: readonly string[]): string {
  return join(directory, `over-${layers[0] ?? "golden"}.qcow2`);
}

/**
 * Describes a machine that is made of a saved one: its disk begins as an empty
 * layer over the saved one, which is never written to.
 */
export function originOf(saved: SavedMachine): Origin {
  return {
    ...shapeOf(saved),
    imageFingerprint: saved.imageFingerprint,
    disk: saved.disk,
    emptyLayerPath: emptyLayerPath(saved.directory, saved.disk.layers),
    isFresh: false,
    sandboxId: saved.sandbox?.sandboxId ?? null,
    lostBecause: saved.lostBecause,
    memory:
      saved.kind === "full"
        ? {
            directory: `worker/${basename(dirname(saved.directory))}/${saved.id}`,
            machineFingerprint: saved.machineFingerprint,
            cpuCount: saved.cpuCount,
            memoryMB: saved.memoryMB,
          }
        : null,
  };
}

/** A checkpoint as the control plane sees it. */
export function describeCheckpoint(saved: SavedMachine): WorkerCheckpoint {
  const { id, kind, memoryMB, sizeBytes, pauseMilliseconds } = saved;
  return { checkpointId: id, kind, memoryMB, sizeBytes, pauseMilliseconds };
}
