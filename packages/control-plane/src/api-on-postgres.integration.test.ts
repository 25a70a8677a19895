import { after, before } from "node:test";
import { openServerDatabase } from "./database/open-server-database.ts";
import { describeApi } from "./testing/api-suite/describe-api.ts";
import { type PostgresCluster, startPostgresCluster } from "./testing/postgres-cluster.ts";
import { createRecordingLogger } from "./testing/recording-logger.ts";

let cluster: PostgresCluster | undefined;
before(async () => {
  cluster = await startPostgresCluster();
});
after(() => cluster?.stop());

describeApi("PostgreSQL", async () => {
  if (cluster === undefined) throw new Error("The PostgreSQL cluster has not started");
  return openServerDatabase(await cluster.createDatabase(), createRecordingLogger().logger);
});
