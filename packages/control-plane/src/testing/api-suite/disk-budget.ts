import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { defaults, limits } from "@opencomputer/protocol/api";
import { images } from "../../database/schema.ts";
import type { ApiResponse } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const sandboxMB = limits.diskMBMin + defaults.memoryMB;
/** Room for three sandboxes of the default size. */
const diskMBPerOrgMax = 3 * sandboxMB;

export function describeDiskBudget(openDatabase: OpenTestDatabase): void {
  describeWithInstallation(
    "disk budget of an org",
    openDatabase,
    (installation) => {
      const call: ReturnType<typeof installation>["call"] = (...parameters) =>
        installation().call(...parameters);
      const create = (body: object = {}, options: object = {}) =>
        call("POST", "/api/sandboxes", { body, ...options });
      const kill = (id: string) => call("DELETE", `/api/sandboxes/${id}`);
      const checkpoint = (id: string, body: object) =>
        call("POST", `/api/sandboxes/${id}/checkpoints`, { body });
      const fork = (id: string, body: object = {}) =>
        call("POST", `/api/sandboxes/from-checkpoint/${id}`, { body });
      const image = (command: string) => ({
        base: "base",
        steps: [{ type: "run", args: { commands: [command] } }],
      });
      const createSnapshot = (name: string) =>
        call("POST", "/api/snapshots", { body: { name, image: image(name) } });

      async function made(response: Promise<ApiResponse>): Promise<string> {
        const { status, json } = await response;
        assert.equal(status, 201, JSON.stringify(json));
        return json.sandboxID ?? json.id;
      }

      /** The refusal names the limit, the value and the next step. */
      async function refused(response: Promise<ApiResponse>, totalMB: number): Promise<void> {
        const { status, json } = await response;
        assert.deepEqual([status, json.code], [409, "limit_reached"], JSON.stringify(json));
        assert.ok(json.error.includes(` ${totalMB} of ${diskMBPerOrgMax} MB`), json.error);
        assert.match(json.error, /Kill .*delete .*raise OPENCOMPUTER_DISK_MB_PER_ORG_MAX/);
      }

      const checkpoints = new Map<string, string>();
      async function madeCheckpoint(sandboxId: string, body: object): Promise<string> {
        const id = await made(checkpoint(sandboxId, body));
        checkpoints.set(id, sandboxId);
        return id;
      }
      async function deleteCheckpoint(id: string): Promise<void> {
        const path = `/api/sandboxes/${checkpoints.get(id)}/checkpoints/${id}`;
        assert.equal((await call("DELETE", path)).status, 204);
        checkpoints.delete(id);
      }

      afterEach(async () => {
        for (const id of checkpoints.keys()) await deleteCheckpoint(id);
        for (const { sandboxID } of (await call("GET", "/api/sandboxes")).json) {
          await kill(sandboxID);
        }
        for (const { name } of (await call("GET", "/api/snapshots")).json) {
          await call("DELETE", `/api/snapshots/${name}`);
        }
      });

      test("create: many at once make what there is room for; a kill gives room, another org has its own", async () => {
        const responses = await Promise.all(Array.from({ length: 6 }, () => create()));
        const [first, ...others] = responses.filter(({ status }) => status === 201);
        assert.equal(others.length, 2);
        for (const response of responses.filter(({ status }) => status !== 201)) {
          await refused(Promise.resolve(response), 4 * sandboxMB);
        }
        assert.equal(installation().worker.machines.size, 3);
        const key = await installation().secondOrgKey();
        const ofOther = await made(create({}, { key }));
        assert.equal((await call("DELETE", `/api/sandboxes/${ofOther}`, { key })).status, 204);
        await kill(first?.json.sandboxID);
        await made(create());
        await refused(create(), 4 * sandboxMB);
      });

      test("create: a larger disk counts with its size, to the MB", async () => {
        await made(create());
        const diskMB = limits.diskMBMin + sandboxMB;
        await refused(create({ diskMB: diskMB + 1 }), diskMBPerOrgMax + 1);
        assert.equal(installation().worker.machines.size, 1);
        await made(create({ diskMB }));
      });

      test("hibernation and wake work at the bound, and give no room", async () => {
        const id = await made(create());
        await made(create());
        await made(create());
        assert.equal((await call("POST", `/api/sandboxes/${id}/hibernate`)).status, 200);
        await refused(create(), 4 * sandboxMB);
        assert.equal((await call("POST", `/api/sandboxes/${id}/wake`)).status, 200);
        assert.equal((await call("POST", `/api/sandboxes/${id}/hibernate`)).status, 200);
        await kill(id);
        await made(create());
      });

      test("hibernation and wake work above a bound that was lowered", async () => {
        const id = await made(create());
        await installation().restart({ diskMBPerOrgMax: sandboxMB - 1 });
        try {
          assert.equal((await call("POST", `/api/sandboxes/${id}/hibernate`)).status, 200);
          assert.equal((await call("POST", `/api/sandboxes/${id}/wake`)).status, 200);
          assert.equal((await create()).json.code, "limit_reached");
        } finally {
          await installation().restart();
        }
      });

      test("checkpoint: with memory and without, of killed sandboxes too", async () => {
        const id = await made(create());
        const full = await madeCheckpoint(id, { name: "full" });
        await madeCheckpoint(id, { name: "disk", kind: "disk_only" });
        const totalMB = 2 * sandboxMB + 2 * limits.diskMBMin;
        await refused(checkpoint(id, { name: "more", kind: "disk_only" }), totalMB);
        const retentionPolicy = { mode: "delete_oldest", maxCount: 1 };
        checkpoints.delete(full);
        const newer = await madeCheckpoint(id, { name: "newer", retentionPolicy });
        await kill(id);
        const other = await made(create());
        await refused(checkpoint(other, { name: "more", kind: "disk_only" }), totalMB);
        checkpoints.set(newer, id);
        await deleteCheckpoint(newer);
        await madeCheckpoint(other, { name: "more" });
      });

      test("fork: it counts as a sandbox, with the memory of its own", async () => {
        const id = await made(create());
        const model = await madeCheckpoint(id, { name: "model" });
        await refused(fork(model, { memoryMB: defaults.memoryMB + 1024 }), diskMBPerOrgMax + 1024);
        const forked = await made(fork(model));
        await refused(fork(model), 4 * sandboxMB);
        await kill(forked);
        await made(fork(model));
      });

      test("image: a build needs room for its disk and memory; the snapshot then takes what the image takes", async () => {
        const id = await made(create());
        await made(create({ diskMB: limits.diskMBMin + 1 }));
        await refused(createSnapshot("one"), diskMBPerOrgMax + 1);
        await refused(create({ image: image("one") }), diskMBPerOrgMax + 1);
        assert.deepEqual((await call("GET", "/api/snapshots")).json, []);
        assert.deepEqual(await installation().database.select().from(images), []);
        await kill(id);
        await made(createSnapshot("one"));
        // The image takes some KiB, and counts as a MB.
        const diskMB = 2 * sandboxMB - defaults.memoryMB - 2;
        await refused(create({ diskMB: diskMB + 1 }), diskMBPerOrgMax + 1);
        await made(create({ diskMB }));
      });

      test("image: one of the cache counts while a snapshot names it", async () => {
        const wholeBudget = { diskMB: diskMBPerOrgMax - defaults.memoryMB };
        await kill(await made(create({ image: image("cached") })));
        const id = await made(create(wholeBudget));
        await refused(createSnapshot("cached"), diskMBPerOrgMax + 1);
        assert.deepEqual((await call("GET", "/api/snapshots")).json, []);
        await kill(id);
        await made(createSnapshot("cached"));
        await refused(create(wholeBudget), diskMBPerOrgMax + 1);
        assert.equal((await call("DELETE", "/api/snapshots/cached")).status, 204);
        await made(create(wholeBudget));
      });
    },
    { diskMBPerOrgMax },
  );
}
