import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "@opencomputer/protocol";
import { projects, secretStores } from "../../database/schema.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const sandboxesPerOrgMax = 3;

export function describeOrgLimits(openDatabase: OpenTestDatabase): void {
  describeWithInstallation(
    "limits of an org",
    openDatabase,
    (installation) => {
      const call: ReturnType<typeof installation>["call"] = (...parameters) =>
        installation().call(...parameters);

      test("sandboxes: many creates at once make as many as there may be, the rest are 429", async () => {
        const answers = await Promise.all(
          Array.from({ length: 8 }, () => call("POST", "/api/sandboxes")),
        );
        const made = answers.filter(({ status }) => status === 201);
        assert.equal(made.length, sandboxesPerOrgMax);
        for (const answer of answers) {
          if (answer.status === 201) continue;
          assert.deepEqual([answer.status, answer.json.code], [429, "too_many_requests"]);
          assert.match(answer.json.error, /OPENCOMPUTER_SANDBOXES_PER_ORG_MAX/);
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
