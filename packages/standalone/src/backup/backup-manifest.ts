import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseJson } from "@opencomputer/protocol/api";
import { z } from "zod";

export const manifestName = "backup.json";
export const databaseDumpName = "database.dump";

/** One archive of a backup: a part of the data directory, or the dump of the database. */
const partSchema = z.strictObject({
  /** Relative to the backup; only names that a backup gives its files. */
  file: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,120}$/),
  /** `null` for the dump of the database. */
  path: z
    .string()
    .regex(
      /^(?:control-plane|images\/[0-9a-f]{64}|golden\/[0-9a-f]{32}|worker\/layers\/[0-9a-f]{16}\.qcow2|worker\/(?:hibernated|checkpoints)\/[a-z0-9][a-z0-9-]{0,80})$/,
    )
    .nullable(),
  bytes: z.int().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type BackupPart = z.infer<typeof partSchema>;

/** `backup.json`, which is written after everything else is on the disk. */
const manifestSchema = z.strictObject({
  version: z.literal(1),
  createdAt: z.iso.datetime(),
  installationId: z.string().regex(/^[0-9a-f]{8}$/),
  parts: z.array(partSchema).max(1_000_000),
});
export type BackupManifest = z.infer<typeof manifestSchema>;

/**
 * Reads the manifest of a backup.
 *
 * @throws when the directory holds no complete backup of a known version.
 */
export async function readBackupManifest(directory: string): Promise<BackupManifest> {
  const path = join(directory, manifestName);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new Error(`${directory} is not a complete backup: ${path} cannot be read`, {
      cause: error,
    });
  }
  const manifest = manifestSchema.safeParse(parseJson(text));
  if (manifest.success) return manifest.data;
  throw new Error(
    `${path} is damaged or of another version (expected version 1): ${z.prettifyError(manifest.error)}`,
  );
}
