import { after, before } from "node:test";
import { openServerDatabase } from "./database/open-server-database.ts";
import { describeApi } from "./testing/api-suite/describe-api.ts";
import { type PostgresCluster, startPostgresCluster } from "./testing/postgres-cluster.ts";
import { createRecordingLogger } from "./testing/recording-logger.ts";

const { logger } = createRecordingLogger();
let cluster: PostgresCluster | undefined;
/** Migrated once, for all that are copies of it. */
let template: string | undefined;
before(async () => {
  cluster = await startPostgresCluster();
  template = await cluster.createDatabase();
  await (await openServerDatabase(template, logger)).close();
});
after(() => cluster?.stop());

describeApi("PostgreSQL", async () => {
  if (cluster === undefined) throw new Error("The PostgreSQL cluster has not started");
  return openServerDatabase(await cluster.createDatabase(template), logger);
});
