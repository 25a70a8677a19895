import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { auditGenerationOf } from "./audit-files.ts";

/** A current file that was written to within this time belongs to an active sandbox. */
const liveMilliseconds = 3600 * 1000;
/** stat(2), `st_blocks`. */
const blockBytes = 512;

interface AuditFile {
  readonly path: string;
  readonly isFormer: boolean;
  /** Disk space that it occupies. */
  readonly bytes: number;
  readonly writtenAtMilliseconds: number;
}

/**
 * Deletes audit files that have expired, and then others until the rest is
 * within the bound on their total size: former files first, then current ones,
 * in both cases those written longest ago first. The current file of an active
 * sandbox is never deleted, so only these files can exceed the bound.
 */
export async function collectAuditFiles(
  directory: string,
  options: { nowMilliseconds: number; secondsMax: number; bytesTotalMax: number },
): Promise<void> {
  const age = (file: AuditFile) => options.nowMilliseconds - file.writtenAtMilliseconds;
  const isExpired = (file: AuditFile) => age(file) > options.secondsMax * 1000;
  const files = await listAuditFiles(directory);
  for (const file of files.filter(isExpired)) await rm(file.path);

  const kept = files.filter((file) => !isExpired(file));
  let bytesTotal = kept.reduce((total, file) => total + file.bytes, 0);
  const removable = kept
    .filter((file) => file.isFormer || age(file) > liveMilliseconds)
    .sort(
      (one, other) =>
        Number(other.isFormer) - Number(one.isFormer) ||
        one.writtenAtMilliseconds - other.writtenAtMilliseconds,
    );
  for (const file of removable) {
    if (bytesTotal <= options.bytesTotalMax) break;
    await rm(file.path);
    bytesTotal -= file.bytes;
  }
}

async function listAuditFiles(directory: string): Promise<AuditFile[]> {
  const files: AuditFile[] = [];
  for (const name of await readdir(directory)) {
    const generation = auditGenerationOf(name);
    if (generation === undefined) continue;
    const path = join(directory, name);
    const { size, blocks, mtimeMs } = await stat(path);
    files.push({
      path,
      isFormer: generation === "former",
      bytes: Math.max(size, blocks * blockBytes),
      writtenAtMilliseconds: mtimeMs,
    });
  }
  return files;
}
