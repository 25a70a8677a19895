import { defaults, limits, WireError } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { and, count, eq, exists, inArray, ne, or, sum } from "../database/query-builder.ts";
import { checkpoints, images, sandboxes, snapshots } from "../database/schema.ts";
import { keptStates } from "../sandboxes/rows/sandbox-states.ts";

const mebibyte = 1024 * 1024;

/** How many of one size an org has. */
interface SizeGroup {
  /** Null for the disk of the base image. */
  diskMB: number | null;
  memoryMB: number;
  count: number;
}

/** The objects of an org that take disk space. */
export interface StoredSizes {
  /** Running and hibernated. */
  sandboxes: readonly SizeGroup[];
  checkpoints: readonly (SizeGroup & { kind: "full" | "disk_only" })[];
  /** Images that a snapshot names, and those being built. */
  imagesBytes: number;
}

/**
 * Computes the most disk space that an org can take. A sandbox counts with its memory
 * while it runs too: it can be hibernated at any time, and that is never refused.
 */
export function diskUsageMB(stored: StoredSizes): number {
  let totalMB = Math.ceil(stored.imagesBytes / mebibyte);
  for (const { diskMB, memoryMB, count: times } of stored.sandboxes) {
    totalMB += times * ((diskMB ?? limits.diskMBMin) + memoryMB);
  }
  for (const { diskMB, memoryMB, kind, count: times } of stored.checkpoints) {
    totalMB += times * ((diskMB ?? limits.diskMBMin) + (kind === "full" ? memoryMB : 0));
  }
  return totalMB;
}

/** Computes the most that an image can take that a builder with this memory makes. */
export function imageBytesMax(builderMemoryMB: number): number {
  return (limits.diskMBMin + builderMemoryMB) * mebibyte;
}

/** Computes a budget for twice as many sandboxes of the default size as an org may run at once. */
export function defaultDiskMBPerOrgMax(sandboxesPerOrgMax: number): number {
  return 2 * sandboxesPerOrgMax * (limits.diskMBMin + defaults.memoryMB);
}

/**
 * Asserts that what the org has, with what this transaction has added, is
 * within its budget. The org is locked, so that no other adds to it meanwhile.
 *
 * @throws {WireError} `limit_reached`
 */
export async function assertDiskBudget(
  transaction: Database,
  orgId: string,
  diskMBPerOrgMax: number,
): Promise<void> {
  const totalMB = diskUsageMB(await readStoredSizes(transaction, orgId));
  if (totalMB <= diskMBPerOrgMax) return;
  throw new WireError(
    "limit_reached",
    `Disk limit reached: sandboxes, checkpoints and images of this org would take up to ${totalMB} of ${diskMBPerOrgMax} MB. Kill a sandbox, delete a checkpoint or a snapshot, or raise OPENCOMPUTER_DISK_MB_PER_ORG_MAX`,
    {
      remediation:
        "oc kill <id>, oc checkpoint delete <sandbox-id> <checkpoint-id>, oc snapshot delete <name>, or OPENCOMPUTER_DISK_MB_PER_ORG_MAX",
    },
  );
}

async function readStoredSizes(transaction: Database, orgId: string): Promise<StoredSizes> {
  // A builder does not count: its disk and memory become those of the image, which does.
  const ofSandboxes = await transaction
    .select({ diskMB: sandboxes.diskMB, memoryMB: sandboxes.memoryMB, count: count() })
    .from(sandboxes)
    .where(
      and(
        eq(sandboxes.orgId, orgId),
        eq(sandboxes.purpose, "user"),
        inArray(sandboxes.state, keptStates),
      ),
    )
    .groupBy(sandboxes.diskMB, sandboxes.memoryMB);
  const { diskMB, memoryMB, kind } = checkpoints;
  const ofCheckpoints = await transaction
    .select({ diskMB, memoryMB, kind, count: count() })
    .from(checkpoints)
    .where(and(eq(checkpoints.orgId, orgId), ne(checkpoints.status, "failed")))
    .groupBy(diskMB, memoryMB, kind);
  const naming = transaction
    .select({ id: snapshots.id })
    .from(snapshots)
    .where(and(eq(snapshots.orgId, images.orgId), eq(snapshots.contentHash, images.contentHash)));
  const [ofImages] = await transaction
    .select({ bytes: sum(images.sizeBytes) })
    .from(images)
    .where(and(eq(images.orgId, orgId), or(eq(images.state, "building"), exists(naming))));
  return {
    sandboxes: ofSandboxes,
    checkpoints: ofCheckpoints,
    imagesBytes: Number(ofImages?.bytes ?? 0),
  };
}
