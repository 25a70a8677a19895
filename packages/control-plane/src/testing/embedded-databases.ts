import { PGlite } from "@electric-sql/pglite";
import type { OpenDatabase } from "../database/database.ts";
import { openPGlite } from "../database/open-embedded-database.ts";

/** Opens empty databases in memory. Only the first one takes the seconds of `initdb`. */
export function createEmbeddedDatabases(): () => Promise<OpenDatabase> {
  let initialised: Promise<Blob | File> | undefined;
  return async () => {
    initialised ??= dumpEmptyDatabase();
    return openPGlite(await PGlite.create({ loadDataDir: await initialised }));
  };
}

async function dumpEmptyDatabase(): Promise<Blob | File> {
  const client = await PGlite.create();
  const dump = await client.dumpDataDir("none");
  await client.close();
  return dump;
}
