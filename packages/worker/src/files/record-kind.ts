import { z } from "zod";
import { readJsonFile, writeJsonFile } from "./write-json-file.ts";

/** A record as it is on disk: an object of some version. */
export type StoredRecord = Readonly<Record<string, unknown>>;

/**
 * A kind of record on disk. Each is written with the `version` of its form; a
 * record without one has version 1. `migrations[n]` converts version n + 1 to
 * version n + 2; the current version is the one after the last migration.
 */
export interface RecordKind<Schema extends z.ZodObject> {
  readonly schema: Schema;
  readonly migrations: readonly ((record: StoredRecord) => StoredRecord)[];
}

const storedSchema = z.looseObject({ version: z.int().min(1).default(1) });

function currentVersion(kind: Pick<RecordKind<z.ZodObject>, "migrations">): number {
  return kind.migrations.length + 1;
}

/**
 * Converts the content of a record of any known version to the current form.
 *
 * @throws {Error} for a later version, and for one that is not of its form.
 */
export function migrateRecord<Schema extends z.ZodObject>(
  kind: RecordKind<Schema>,
  content: unknown,
): z.infer<Schema> {
  const { version, ...stored } = storedSchema.parse(content);
  const known = currentVersion(kind);
  if (version > known) {
    throw new Error(
      `It has version ${version}, and this worker reads versions up to ${known}: start the worker that wrote it, or a later one`,
    );
  }
  const migrated = kind.migrations
    .slice(version - 1)
    .reduce<StoredRecord>((record, migrate) => migrate(record), stored);
  return kind.schema.parse(migrated);
}

/**
 * Reads a record; undefined when it does not exist.
 *
 * @throws {Error} naming the file, when it cannot be read, or is of a later version.
 */
export async function readRecord<Schema extends z.ZodObject>(
  path: string,
  kind: RecordKind<Schema>,
): Promise<z.infer<Schema> | undefined> {
  const content = await readJsonFile(path, z.unknown());
  if (content === undefined) return undefined;
  try {
    return migrateRecord(kind, content);
  } catch (error) {
    throw new Error(`${path} is not of the expected form`, { cause: error });
  }
}

/** Replaces a whole record, in the current version. */
export async function writeRecord<Schema extends z.ZodObject>(
  path: string,
  kind: RecordKind<Schema>,
  record: z.infer<Schema>,
): Promise<void> {
  await writeJsonFile(path, { version: currentVersion(kind), ...kind.schema.parse(record) });
}
