import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import type { Database } from "../../database/database.ts";
import { sql } from "../../database/query-builder.ts";
import { checkpointFormerSecrets, sandboxFormerSecrets } from "../../database/schema.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const tablesSchema = z.object({ rows: z.array(z.object({ table_name: z.string() })) });
const rowsSchema = z.object({ rows: z.array(z.record(z.string(), z.unknown())) });

export function describeCanary(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("canary", openDatabase, (installation) => {
    test("a value is in no response, no log line and no column, whatever is done with it", async () => {
      const { call, egressProxy, worker, database } = installation();
      const canary = "sk-canary-0123456789-é🔑";
      const awsKey = "canary-of-aws-q7Z2xK9mV4tR8wLpB3nYd5Hc";
      const body = { value: canary };
      const { id } = (await call("POST", "/api/secret-stores", { body: { name: "s" } })).json;
      const project = (await call("POST", "/api/projects", { body: { name: "p" } })).json;
      const path = `/api/secret-stores/${id}/secrets`;
      await call("PUT", `${path}/K`, { body });
      await call("PUT", `/api/projects/${project.id}/secrets/K2`, { body });
      const aws = { kind: "aws", accessKeyId: "id", secretAccessKey: awsKey };
      await call("PUT", `${path}/AWS`, { body: aws });
      await call("PUT", `${path}/AWS`, { body: { ...aws, sessionToken: [awsKey] } });
      await call("PUT", `${path}/AWS`, { body: { ...aws, accessKeyId: `${awsKey} ` } });
      const created = await call("POST", "/api/sandboxes", {
        body: { secretStore: "s", project: "p" },
      });
      const sandbox = `/api/sandboxes/${created.json.sandboxID}`;
      for (const value of [canary, awsKey]) {
        assert.ok(JSON.stringify([...egressProxy.sessions.values()]).includes(value));
      }

      await call("PUT", `${path}/PATH`, { body });
      await call("PUT", `${path}/K`, { body: { ...body, allowedHosts: ["*"] } });
      await call("PUT", `${path}/K`, { body: { value: [canary] } });
      await call("PUT", `${path}/K`, { body: canary });
      await call("PUT", `${path}/K`, { rawBody: `{"value": "${canary}"` });
      await call("PUT", `${path}/K`, { body: { value: canary.repeat(10_000) } });
      await call("PUT", `/api/secret-stores/absent/secrets/K`, { body });
      await call("POST", "/api/webhooks", { body: { url: "http://127.0.0.1:1/", secret: canary } });
      await call("POST", "/api/webhooks", { body: { url: canary } });
      egressProxy.before = async () => {
        throw new Error(canary);
      };
      await call("PUT", `${path}/K`, { body });
      await call("POST", "/api/sandboxes", { body: { secretStore: "s" } });
      egressProxy.before = async () => undefined;
      egressProxy.log(created.json.sandboxID);
      for (const route of ["", "/allowed-hosts", "/egress", "/files/list?path=/"]) {
        await call("GET", sandbox + route);
      }
      await call("POST", `${sandbox}/exec/run`, { body: { cmd: "env" } });
      for (const list of [
        path,
        "/api/secret-stores",
        "/api/projects",
        "/api/sandboxes",
        "/api/keys",
        "/api/events?limit=1000",
        "/api/webhooks",
        "/api/openapi.json",
        "/api/docs",
      ]) {
        await call("GET", list);
      }
      const checkpoints = `${sandbox}/checkpoints`;
      const checkpoint = (await call("POST", checkpoints, { body: { name: "c" } })).json.id;
      await call("PUT", `/api/secret-stores/${id}`, { body: { substituteIn: ["header"] } });
      await call("PUT", `${path}/K`, { body: { value: `${canary} 2`, substituteIn: ["query"] } });
      await call("PUT", `${path}/K`, { body: { value: "short" } });
      await call("PUT", `${path}/K`, { body: { ...body, substituteIn: [canary.slice(0, 2)] } });
      const fork = await call("POST", `/api/sandboxes/from-checkpoint/${checkpoint}`, {
        body: { secretStore: "s" },
      });
      assert.equal(fork.status, 201);
      const formers = JSON.stringify(
        egressProxy.sessions.get(fork.json.sandboxID)?.formerSecrets ?? [],
      );
      assert.ok(formers.includes(`${canary} 2`) && formers.includes(`${canary}"`));
      for (const table of [sandboxFormerSecrets, checkpointFormerSecrets]) {
        assert.ok((await database.$count(table)) > 1, "former values are in the database");
      }

      await egressProxy.stop();
      await call("PUT", `${path}/K`, { body });
      await egressProxy.start();
      assert.ok(!JSON.stringify([...worker.machines.values()]).includes(canary));

      const needles = [canary, canary.slice(0, 16), Buffer.from(canary).toString("base64"), awsKey];
      const searched = {
        "responses and log": installation().recorded(),
        database: await dump(database),
      };
      for (const [where, text] of Object.entries(searched)) {
        assert.ok(text.length > 1000, `${where} has something to search`);
        for (const needle of [...needles, Buffer.from(canary).toString("hex")]) {
          assert.ok(!text.includes(needle), `${where} tells ${needle}`);
        }
      }
    });
  });
}

async function dump(database: Database): Promise<string> {
  const { rows: tables } = tablesSchema.parse(
    await database.execute(
      sql`select table_name from information_schema.tables where table_schema = 'public'`,
    ),
  );
  let text = "";
  for (const { table_name: table } of tables) {
    const { rows } = rowsSchema.parse(
      await database.execute(sql`select * from ${sql.identifier(table)}`),
    );
    text += `${table}: ${JSON.stringify(rows)}\n`;
  }
  return text;
}
