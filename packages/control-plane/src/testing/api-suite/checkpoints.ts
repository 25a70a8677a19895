import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import {
  checkpointRecordSchema,
  limits,
  restoredCheckpointSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { eq } from "../../database/query-builder.ts";
import { checkpoints } from "../../database/schema.ts";
import { checkpointBytes } from "../fake-worker/saved-states.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeCheckpoints(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("checkpoints", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (body: unknown = {}) =>
      (await call("POST", "/api/sandboxes", { body })).json.sandboxID as string;
    const make = (id: string, body: unknown) =>
      call("POST", `/api/sandboxes/${id}/checkpoints`, { body });
    const list = async (id: string) => (await call("GET", `/api/sandboxes/${id}/checkpoints`)).json;
    const find = async (id: string, cid: string) =>
      (await list(id)).find((row: { id: string }) => row.id === cid);
    const makeReady = async (id: string, body: unknown) => {
      const cid: string = (await make(id, body)).json.id;
      await eventually(async () => (await find(id, cid)).status === "ready", "it is ready");
      return cid;
    };
    const write = (id: string, content: string) =>
      call("PUT", `/api/sandboxes/${id}/files?path=/f`, { rawBody: content });
    const read = async (id: string) =>
      (await call("GET", `/api/sandboxes/${id}/files?path=/f`)).text;
    /** Makes the worker wait in the middle of every checkpoint until `proceed` is called. */
    const holdCheckpoints = () => {
      const { worker } = installation();
      let proceed = (): void => undefined;
      const released = new Promise<void>((resolve) => {
        proceed = resolve;
      });
      worker.before = async (step) => {
        if (step === "checkpoint") await released;
      };
      return () => {
        worker.before = async () => undefined;
        proceed();
      };
    };
    /** The id of a checkpoint that the worker has begun. */
    const begunId = async (id: string): Promise<string> => {
      const { worker } = installation();
      let cid = "";
      await eventually(async () => {
        [{ id: cid } = { id: "" }] = await list(id);
        return worker.events.includes(`checkpoint ${cid}`);
      }, "it is being made");
      return cid;
    };
    const stateOf = async (id: string) => (await call("GET", `/api/sandboxes/${id}`)).json.status;

    test("create responds with the fields of the contract, once the moment has passed", async () => {
      const proceed = holdCheckpoints();
      const id = await create({ timeout: 123, memoryMB: 512 });
      await write(id, "v1");
      let hasResponded = false;
      const making = make(id, { name: "one" }).finally(() => {
        hasResponded = true;
      });
      const cid = await begunId(id);
      // The sandbox continues meanwhile, and what it does may still be in the checkpoint.
      const run = await call("POST", `/api/sandboxes/${id}/exec/run`, { body: { cmd: "x" } });
      assert.equal(run.status, 200);
      assert.equal((await find(id, cid)).status, "processing");
      assert.equal(hasResponded, false);
      proceed();
      const response = await making;
      assert.equal(response.status, 201);
      const record = checkpointRecordSchema.strict().parse(response.json);
      assert.deepEqual(
        [record.id, record.sandboxId, record.name, record.kind, record.status, record.sizeBytes],
        [cid, id, "one", "full", "processing", 0],
      );
      assert.deepEqual(record.sandboxConfig, {
        templateID: "base",
        cpuCount: 1,
        memoryMB: 512,
        timeout: 123,
        idle: "requests",
      });
      assert.equal(record.isPublic, false);
      assert.equal((await find(id, cid)).sizeBytes, checkpointBytes);
      await write(id, "v2");
      const restored = await call("POST", `/api/sandboxes/${id}/checkpoints/${cid}/restore`);
      assert.equal(restored.status, 200);
      assert.equal(await read(id), "v1");
    });

    test("one whose worker is lost meanwhile is 409 `outcome_unknown`, never a 201", async () => {
      const { worker } = installation();
      const id = await create();
      worker.before = async (step) => {
        if (step === "checkpoint") throw new WireError("worker_unavailable", "lost");
      };
      const response = await make(id, { name: "unknown" });
      worker.before = async () => undefined;
      assert.deepEqual([response.status, response.json.code], [409, "outcome_unknown"]);
    });

    test("list is oldest first and [] for none; a killed sandbox keeps its checkpoints", async () => {
      const id = await create();
      assert.deepEqual(await list(id), []);
      await makeReady(id, { name: "a" });
      await makeReady(id, { name: "b", kind: "disk_only" });
      const rows = (await list(id)).map(({ name, kind }: Record<string, string>) => [name, kind]);
      assert.deepEqual(rows, [
        ["a", "full"],
        ["b", "disk_only"],
      ]);
      await call("DELETE", `/api/sandboxes/${id}`);
      assert.equal((await list(id)).length, 2);
    });

    test("a name that is in use is 409; that of a failed one is free again", async () => {
      const { worker } = installation();
      const id = await create();
      await makeReady(id, { name: "n" });
      const again = await make(id, { name: "n" });
      assert.deepEqual([again.status, again.json.code], [409, "name_in_use"]);
      worker.before = async (step) => {
        if (step === "checkpoint") throw new WireError("host_storage_full", "the disk is full");
      };
      const failed = (await make(id, { name: "f" })).json.id;
      await eventually(async () => (await find(id, failed)).status === "failed", "it failed");
      worker.before = async () => undefined;
      assert.equal((await find(id, failed)).failure, "the disk is full");
      assert.equal((await make(id, { name: "f" })).status, 201);
      assert.equal(await find(id, failed), undefined);
    });

    test("malformed requests are refused", async () => {
      const id = await create();
      for (const body of [
        {},
        { name: "" },
        { name: "a\0" },
        { name: "a", kind: "half" },
        { name: "a", retentionPolicy: { mode: "some" } },
        { name: "a", retentionPolicy: { mode: "none", maxCount: 0 } },
      ]) {
        const response = await make(id, body);
        assert.deepEqual([response.status, response.json.code], [400, "invalid_request"]);
      }
      assert.deepEqual(await list(id), []);
    });

    test("the limit of each kind is 409 limit_reached, unless the oldest may go", async () => {
      const { worker } = installation();
      const id = await create();
      const ids: string[] = [];
      for (let index = 0; index < limits.fullCheckpointsPerSandboxMax; index++) {
        ids.push(await makeReady(id, { name: `full ${index}` }));
      }
      const over = await make(id, { name: "over" });
      assert.deepEqual([over.status, over.json.code], [409, "limit_reached"]);
      assert.match(over.json.error, /has 10 full checkpoints, the maximum is 10\. .*delete_oldest/);
      assert.equal((await make(id, { name: "disk", kind: "disk_only" })).status, 201);
      const retentionPolicy = { mode: "delete_oldest" };
      assert.equal((await make(id, { name: "over", retentionPolicy })).status, 201);
      const [oldest = "", second = ""] = ids;
      assert.equal(await find(id, oldest), undefined);
      assert.notEqual(await find(id, second), undefined);
      await eventually(() => !worker.checkpoints.has(oldest), "its files were deleted");
      const lowered = { mode: "none", maxCount: 2 };
      const response = await make(id, { name: "lowered", retentionPolicy: lowered });
      assert.deepEqual([response.status, response.json.code], [409, "limit_reached"]);
    });

    test("many at once: as many as the limit are made, the rest are 409", async () => {
      const id = await create();
      const responses = await Promise.all(
        Array.from({ length: 15 }, (_, index) => make(id, { name: `n${index}` })),
      );
      const made = responses.filter(({ status }) => status === 201);
      assert.equal(made.length, limits.fullCheckpointsPerSandboxMax);
      for (const response of responses.filter(({ status }) => status !== 201)) {
        assert.deepEqual([response.status, response.json.code], [409, "limit_reached"]);
      }
      await eventually(
        async () => (await list(id)).every((row: { status: string }) => row.status === "ready"),
        "all are ready",
      );
    });

    test("a hibernated sandbox is woken for its checkpoint", async () => {
      const id = await create();
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      await makeReady(id, { name: "woken" });
      assert.equal(await stateOf(id), "running");
    });

    test("a hibernation waits for the checkpoint under way", async () => {
      const id = await create();
      const proceed = holdCheckpoints();
      const making = make(id, { name: "held" });
      const cid = await begunId(id);
      const hibernation = call("POST", `/api/sandboxes/${id}/hibernate`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(await stateOf(id), "running");
      proceed();
      assert.equal((await making).status, 201);
      assert.equal((await hibernation).status, 200);
      assert.equal((await find(id, cid)).status, "ready");
    });

    test("delete takes row and files; again it is 404, and so is another sandbox's", async () => {
      const { worker } = installation();
      const [id, other] = [await create(), await create()];
      const cid = await makeReady(id, { name: "gone" });
      const wrong = await call("DELETE", `/api/sandboxes/${other}/checkpoints/${cid}`);
      assert.deepEqual([wrong.status, wrong.json.code], [404, "checkpoint_not_found"]);
      const path = `/api/sandboxes/${id}/checkpoints/${cid}`;
      assert.equal((await call("DELETE", path)).status, 204);
      assert.ok(!worker.checkpoints.has(cid));
      assert.equal((await call("DELETE", path)).status, 404);
      assert.equal((await call("DELETE", `/api/sandboxes/${id}/checkpoints/x`)).status, 404);
    });

    test("one that is deleted while it is made leaves nothing", async () => {
      const { worker } = installation();
      const id = await create();
      const proceed = holdCheckpoints();
      const making = make(id, { name: "short" });
      const cid = await begunId(id);
      assert.equal((await call("DELETE", `/api/sandboxes/${id}/checkpoints/${cid}`)).status, 204);
      proceed();
      await making;
      await eventually(() => worker.checkpoints.get(cid) === undefined, "its files were deleted");
      assert.deepEqual(await list(id), []);
    });

    test("restore puts the sandbox back, at a new address with its session", async () => {
      const { worker, egressProxy } = installation();
      const id = await create({ envs: { PLAIN: "p" } });
      await write(id, "before");
      const cid = await makeReady(id, { name: "before" });
      await write(id, "after");
      const response = await call("POST", `/api/sandboxes/${id}/checkpoints/${cid}/restore`);
      assert.equal(response.status, 200);
      assert.deepEqual(restoredCheckpointSchema.strict().parse(response.json), {
        sandboxId: id,
        checkpointId: cid,
        status: "restoring",
      });
      assert.equal(await read(id), "before");
      assert.equal(await stateOf(id), "running");
      const machine = worker.machines.get(id);
      assert.equal(egressProxy.sessions.get(id)?.sourceAddress, machine?.sourceAddress);
      assert.deepEqual(machine?.request.envs, { PLAIN: "p" });
    });

    test("restore waits for a checkpoint that is still being made", async () => {
      const { worker } = installation();
      const id = await create();
      await write(id, "saved");
      const proceed = holdCheckpoints();
      const making = make(id, { name: "awaited" });
      const cid = await begunId(id);
      const restore = call("POST", `/api/sandboxes/${id}/checkpoints/${cid}/restore`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.ok(!worker.events.includes(`restore ${id}`));
      proceed();
      assert.equal((await making).status, 201);
      assert.equal((await restore).status, 200);
      assert.equal(await read(id), "saved");
    });

    test("a restore that cannot be done leaves the running state alone", async () => {
      const { worker, egressProxy } = installation();
      const [id, other] = [await create(), await create()];
      await write(id, "running");
      const cid = await makeReady(id, { name: "r" });
      const foreign = await makeReady(other, { name: "r" });
      const restore = (checkpoint: string) =>
        call("POST", `/api/sandboxes/${id}/checkpoints/${checkpoint}/restore`);
      for (const absent of [foreign, "00000000-0000-4000-8000-000000000000", "x"]) {
        const response = await restore(absent);
        assert.deepEqual([response.status, response.json.code], [404, "checkpoint_not_found"]);
      }
      worker.before = async (step) => {
        if (step === "restore") throw new WireError("host_storage_full", "the disk is full");
      };
      assert.equal((await restore(cid)).json.code, "host_storage_full");
      worker.before = async () => undefined;
      worker.checkpoints.delete(cid);
      assert.equal((await restore(cid)).json.code, "checkpoint_failed");
      assert.equal(await stateOf(id), "running");
      assert.equal(await read(id), "running");
      assert.ok(egressProxy.sessions.has(id));
    });

    test("requests during a restore wait for it", async () => {
      const { worker } = installation();
      const id = await create();
      await write(id, "then");
      const cid = await makeReady(id, { name: "then" });
      await write(id, "now");
      let proceed = (): void => undefined;
      const released = new Promise<void>((resolve) => {
        proceed = resolve;
      });
      worker.before = async (step) => {
        if (step === "restore") await released;
      };
      const restore = call("POST", `/api/sandboxes/${id}/checkpoints/${cid}/restore`);
      await eventually(() => worker.events.includes(`restore ${id}`), "it is being restored");
      assert.equal(await stateOf(id), "running");
      const waiting = read(id);
      await new Promise((resolve) => setTimeout(resolve, 50));
      proceed();
      worker.before = async () => undefined;
      assert.equal((await restore).status, 200);
      assert.equal(await waiting, "then");
    });

    test("what an earlier process was making is decided by what the worker has", async () => {
      const { worker, database } = installation();
      const id = await create();
      const [made, lost] = [
        await makeReady(id, { name: "made" }),
        await makeReady(id, { name: "lost" }),
      ];
      for (const cid of [made, lost]) {
        await database
          .update(checkpoints)
          .set({ status: "processing" })
          .where(eq(checkpoints.id, cid));
      }
      worker.checkpoints.delete(lost);
      await installation().restart();
      await eventually(async () => (await find(id, made)).status === "ready", "one is ready");
      await eventually(async () => (await find(id, lost)).status === "failed", "one has failed");
      assert.match((await find(id, lost)).failure, /create another/);
    });

    test("files of a deleted checkpoint are deleted; of one that never had a row they stay", async () => {
      const { worker, database } = installation();
      const id = await create();
      const [kept, unknown] = [
        await makeReady(id, { name: "kept" }),
        await makeReady(id, { name: "unknown" }),
      ];
      const never = randomUUID();
      const files = worker.checkpoints.get(kept);
      assert.ok(files !== undefined);
      worker.checkpoints.set(never, { ...files, checkpointId: never });
      await database.delete(checkpoints).where(eq(checkpoints.id, unknown));
      await worker.restart();
      await eventually(() => !worker.checkpoints.has(unknown), "its files were deleted");
      await eventually(
        () => installation().recorded().includes("a checkpoint is not in the database"),
        "the other is reported",
      );
      assert.ok(worker.checkpoints.has(kept) && worker.checkpoints.has(never));
      worker.checkpoints.delete(never);
    });
  });
}
