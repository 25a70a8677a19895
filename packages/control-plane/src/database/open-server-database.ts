import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import { Pool } from "pg";
import type { Logger } from "pino";
import type { OpenDatabase } from "./database.ts";
import * as schema from "./schema.ts";

/** Any number that only this product uses, so that starts of several processes migrate in turn. */
const migrationLock = 0x6f63_6d69;
const connectionsMax = 16;

/** Opens a PostgreSQL server and migrates it under an advisory lock. */
export async function openServerDatabase(url: string, logger: Logger): Promise<OpenDatabase> {
  const pool = new Pool({ connectionString: url, max: connectionsMax });
  pool.on("error", (error) => {
    logger.warn({ err: error }, "an idle database connection failed; the pool replaces it");
  });
  try {
    await migrateUnderLock(pool);
  } catch (error) {
    await pool.end();
    throw new Error("Cannot open the database that DATABASE_URL names", { cause: error });
  }
  return {
    database: drizzle({ client: pool, schema }),
    connections: () => ({
      open: pool.totalCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
    }),
    close: () => pool.end(),
  };
}

async function migrateUnderLock(pool: Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [migrationLock]);
    await migrate(drizzle({ client, schema }), { migrationsFolder });
  } finally {
    // Closing the connection frees the lock, even after a failed statement.
    client.release(true);
  }
}

/** The generated SQL, beside both `src` and `dist`. */
export const migrationsFolder = fileURLToPath(new URL("../../migrations", import.meta.url));
