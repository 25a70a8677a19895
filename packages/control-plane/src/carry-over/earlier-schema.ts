import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClientBase } from "pg";
import { z } from "zod";

const journalSchema = z.object({
  entries: z.array(z.object({ tag: z.string(), when: z.number() })),
});

/** As the migrator of drizzle-orm makes it. */
const migrationsTable = `
  create schema if not exists drizzle;
  create table if not exists drizzle.__drizzle_migrations (
    id serial primary key, hash text not null, created_at bigint
  )`;

/**
 * Makes the tables of the version that `appliedCount` migrations lead to.
 *
 * @throws when this version does not know so many.
 */
export async function createEarlierSchema(
  client: ClientBase,
  { appliedCount, migrationsFolder }: { appliedCount: number; migrationsFolder: string },
): Promise<void> {
  const journalFile = join(migrationsFolder, "meta", "_journal.json");
  const { entries } = journalSchema.parse(JSON.parse(await readFile(journalFile, "utf8")));
  if (appliedCount > entries.length) {
    throw new Error(
      `The earlier database has ${appliedCount} migrations, and this version knows ${entries.length}: start the version that wrote it, or a newer one`,
    );
  }
  await client.query(migrationsTable);
  for (const { tag } of entries.slice(0, appliedCount)) {
    await client.query(await readFile(join(migrationsFolder, `${tag}.sql`), "utf8"));
  }
}
