import { readSettings, settingSchemas } from "@opencomputer/protocol/wire";
import { Client } from "pg";
import { z } from "zod";
import { loadExportedRows } from "./load-exported-rows.ts";

const settings = readSettings(
  {
    DATABASE_URL: settingSchemas.DATABASE_URL.unwrap(),
    OPENCOMPUTER_EXPORTED_ROWS_FILE: z.string().startsWith("/", "expected an absolute path"),
  },
  process.env,
);
const client = new Client({ connectionString: settings.DATABASE_URL });
await client.connect();
try {
  const outcome = await loadExportedRows(client, settings.OPENCOMPUTER_EXPORTED_ROWS_FILE);
  process.stdout.write(`${outcome}\n`);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  await client.end();
}
