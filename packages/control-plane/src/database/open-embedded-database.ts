import { mkdir } from "node:fs/promises";
import { PGlite } from "@electric-sql/pglite";
import { drizzle } from "drizzle-orm/pglite";
import { migrate } from "drizzle-orm/pglite/migrator";
import type { OpenDatabase } from "./database.ts";
import { lockDirectory } from "./lock-directory.ts";
import { migrationsFolder } from "./migrations-folder.ts";
import * as schema from "./schema.ts";

/**
 * Opens PGlite in `directory`, or in memory without one, and migrates it.
 * A directory is locked for as long as it is open: PGlite has one connection
 * and a second process would corrupt the files.
 *
 * @throws when another process has the directory open.
 */
export async function openEmbeddedDatabase(directory?: string): Promise<OpenDatabase> {
  if (directory === undefined) return openPGlite(await PGlite.create());
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const unlock = await lockDirectory(directory);
  try {
    return await openPGlite(await PGlite.create(directory), unlock);
  } catch (error) {
    await unlock();
    throw new Error(`Cannot open the embedded database in ${directory}`, { cause: error });
  }
}

/** Migrates a PGlite that the caller has made. */
export async function openPGlite(
  client: PGlite,
  afterClose?: () => Promise<void>,
): Promise<OpenDatabase> {
  const database = drizzle({ client, schema });
  await migrate(database, { migrationsFolder });
  return {
    database,
    close: async () => {
      await client.close();
      await afterClose?.();
    },
  };
}
