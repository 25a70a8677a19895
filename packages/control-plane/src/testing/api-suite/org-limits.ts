import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { limits } from "@opencomputer/protocol/api";
import { eq, like } from "../../database/query-builder.ts";
import { checkpoints, projects, sandboxes, secretStores } from "../../database/schema.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const sandboxesPerOrgMax = 3;

export function describeOrgLimits(openDatabase: OpenTestDatabase): void {
  describeWithInstallation(
    "limits of an org",
    openDatabase,
    (installation) => {
      const call: ReturnType<typeof installation>["call"] = (...parameters) =>
        installation().call(...parameters);

      test("sandboxes: many creates at once make as many as the limit, the rest are 429", async () => {
        const responses = await Promise.all(
          Array.from({ length: 8 }, () => call("POST", "/api/sandboxes")),
        );
        const made = responses.filter(({ status }) => status === 201);
        assert.equal(made.length, sandboxesPerOrgMax);
        for (const response of responses) {
          if (response.status === 201) continue;
          assert.deepEqual([response.status, response.json.code], [429, "too_many_requests"]);
          assert.match(response.json.error, /OPENCOMPUTER_SANDBOXES_PER_ORG_MAX/);
        }
        assert.equal((await call("GET", "/api/sandboxes")).json.length, sandboxesPerOrgMax);
        assert.equal(installation().worker.machines.size, sandboxesPerOrgMax);

        const key = await installation().secondOrgKey();
        assert.equal((await call("POST", "/api/sandboxes", { key })).status, 201, "another org");
        await call("DELETE", `/api/sandboxes/${made[0]?.json.sandboxID}`);
        assert.equal(
          (await call("POST", "/api/sandboxes")).status,
          201,
          "in place of a killed one",
        );
        assert.equal((await call("POST", "/api/sandboxes")).status, 429);
      });

      test("a hibernated sandbox takes none of the places; its wake needs one", async () => {
        const ids = (await call("GET", "/api/sandboxes?status=running")).json.map(
          (row: { sandboxID: string }) => row.sandboxID,
        );
        assert.equal(ids.length, sandboxesPerOrgMax);
        const wake = () => call("POST", `/api/sandboxes/${ids[0]}/wake`);
        assert.equal((await call("POST", `/api/sandboxes/${ids[0]}/hibernate`)).status, 200);
        assert.equal((await call("POST", "/api/sandboxes")).status, 201);
        const refused = await wake();
        assert.deepEqual([refused.status, refused.json.code], [429, "too_many_requests"]);
        const path = `/api/sandboxes/${ids[0]}/exec/run`;
        assert.equal((await call("POST", path, { body: { cmd: "true" } })).status, 429);
        assert.equal((await call("GET", `/api/sandboxes/${ids[0]}`)).json.status, "hibernated");
        await call("DELETE", `/api/sandboxes/${ids[1]}`);
        assert.equal((await wake()).status, 200);
        for (const { sandboxID } of (await call("GET", "/api/sandboxes")).json) {
          await call("DELETE", `/api/sandboxes/${sandboxID}`);
        }
      });

      test(`${limits.sandboxesKeptPerOrgMax} sandboxes, running and hibernated`, async () => {
        const { database } = installation();
        const model = (await call("POST", "/api/sandboxes")).json.sandboxID;
        const [row] = await database.select().from(sandboxes).where(eq(sandboxes.id, model));
        assert.ok(row !== undefined);
        await call("DELETE", `/api/sandboxes/${model}`);
        const rows = (count: number) =>
          Array.from({ length: count }, (_, index) => ({
            ...row,
            id: `filling ${index}`,
            state: "hibernated" as const,
            // Held, so that they are not reconciled with machines that they do not have.
            transitionDeadlineAt: new Date(Date.now() + 3_600_000),
          }));
        const filling = rows(limits.sandboxesKeptPerOrgMax - 1);
        while (filling.length > 0) await database.insert(sandboxes).values(filling.splice(0, 1000));
        const [last, over] = [
          await call("POST", "/api/sandboxes"),
          await call("POST", "/api/sandboxes"),
        ];
        await database.delete(sandboxes).where(like(sandboxes.id, "filling %"));
        assert.equal(last.status, 201);
        assert.deepEqual([over.status, over.json.code], [409, "limit_reached"]);
        await call("DELETE", `/api/sandboxes/${last.json.sandboxID}`);
      });

      test(`${limits.checkpointsPerOrgMax} checkpoints, of killed sandboxes too`, async () => {
        const { database } = installation();
        const { sandboxID } = (await call("POST", "/api/sandboxes")).json;
        const make = (name: string) =>
          call("POST", `/api/sandboxes/${sandboxID}/checkpoints`, { body: { name } });
        const { id } = (await make("model")).json;
        const [row] = await database.select().from(checkpoints).where(eq(checkpoints.id, id));
        assert.ok(row !== undefined);
        const filling = Array.from({ length: limits.checkpointsPerOrgMax - 2 }, (_, index) => ({
          ...row,
          id: randomUUID(),
          status: "ready" as const,
          sandboxId: `filling ${index}`,
        }));
        while (filling.length > 0) {
          await database.insert(checkpoints).values(filling.splice(0, 1000));
        }
        assert.equal((await make("last")).status, 201);
        const over = await make("one too many");
        assert.deepEqual([over.status, over.json.code], [409, "limit_reached"]);
        await call("DELETE", `/api/sandboxes/${sandboxID}/checkpoints/${id}`);
        assert.equal((await make("one too many")).status, 201);
      });

      test(`${limits.secretStoresPerOrgMax} secret stores, not counting those of projects`, async () => {
        await call("POST", "/api/projects", { body: { name: "with its own store" } });
        const first = await call("POST", "/api/secret-stores", { body: { name: "first" } });
        const { orgId } = first.json;
        const rows = Array.from({ length: limits.secretStoresPerOrgMax - 2 }, (_, index) => ({
          orgId,
          name: `store ${index}`,
          egressAllowlist: [],
        }));
        await installation().database.insert(secretStores).values(rows);
        const create = (name: string) => call("POST", "/api/secret-stores", { body: { name } });
        assert.equal((await create("last")).status, 201);
        const over = await create("one too many");
        assert.deepEqual([over.status, over.json.code], [400, "limit_exceeded"]);
        await call("DELETE", `/api/secret-stores/${first.json.id}`);
        assert.equal((await create("one too many")).status, 201);
      });

      test(`${limits.projectsPerOrgMax} projects`, async () => {
        const create = (name: string) => call("POST", "/api/projects", { body: { name } });
        const first = (await create("first")).json;
        const existing = (await call("GET", "/api/projects")).json.length;
        const rows = Array.from(
          { length: limits.projectsPerOrgMax - existing - 1 },
          (_, index) => ({
            orgId: first.orgId,
            name: `project ${index}`,
            template: "",
            cpuCount: 0,
            memoryMB: 0,
            timeoutSec: 0,
          }),
        );
        await installation().database.insert(projects).values(rows);
        assert.equal((await create("last")).status, 201);
        const over = await create("one too many");
        assert.deepEqual([over.status, over.json.code], [400, "limit_exceeded"]);
        await call("DELETE", `/api/projects/${first.id}`);
        assert.equal((await create("one too many")).status, 201);
      });
    },
    { sandboxesPerOrgMax },
  );
}
