import assert from "node:assert/strict";
import { test } from "node:test";
import {
  autoscaleSchema,
  scaledSandboxSchema,
  scalingLockSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { initialScaling } from "@opencomputer/protocol/wire";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeScaling(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("scaling", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    async function create(body: object = {}): Promise<{ id: string; path: string }> {
      const { sandboxID } = (await call("POST", "/api/sandboxes", { body })).json;
      return { id: sandboxID, path: `/api/sandboxes/${sandboxID}` };
    }
    const memoryOf = async (path: string) => (await call("GET", path)).json.memoryMB;
    const bounds = { enabled: true, minMemoryMB: 512, maxMemoryMB: 4096 };

    test("scale changes the memory, and get and list show it", async () => {
      const { id, path } = await create({ cpuCount: 2 });
      const scaled = await call("POST", `${path}/scale`, { body: { memoryMB: 2048 } });
      assert.equal(scaled.status, 200);
      assert.deepEqual(scaledSandboxSchema.strict().parse(scaled.json), {
        sandboxID: id,
        memoryMB: 2048,
        cpuPercent: 200,
        autoscaleDisabled: false,
      });
      assert.equal(await memoryOf(path), 2048);
      const rows = (await call("GET", "/api/sandboxes")).json;
      const row = rows.find(({ sandboxID }: { sandboxID: string }) => sandboxID === id);
      assert.equal(row.memoryMB, 2048);
    });

    test("limits is another name of it, for the CPU time too", async () => {
      const { id, path } = await create();
      const body = { memoryMB: 512, cpuPercent: 50 };
      const set = await call("PUT", `${path}/limits`, { body });
      assert.equal(set.text, '{"ok":true}');
      assert.equal(await memoryOf(path), 512);
      assert.equal(installation().worker.machines.get(id)?.request.scaling?.cpuPercent, 50);
      await call("PUT", `${path}/limits`, { body: { cpuPercent: 60 } });
      assert.equal(await memoryOf(path), 512);
      const scaled = await call("POST", `${path}/scale`, { body: { memoryMB: 1024 } });
      assert.equal(scaled.json.cpuPercent, 60);
    });

    test("autoscale is off until it is set; a choice of memory disables it and reports that", async () => {
      const { id, path } = await create();
      const unset = { sandboxID: id, enabled: false, minMemoryMB: 0, maxMemoryMB: 0 };
      assert.deepEqual((await call("GET", `${path}/autoscale`)).json, unset);
      const off = await call("PUT", `${path}/autoscale`, { body: { enabled: false } });
      assert.deepEqual([off.status, off.json], [200, unset]);
      const on = await call("PUT", `${path}/autoscale`, { body: bounds });
      assert.deepEqual(autoscaleSchema.strict().parse(on.json), { sandboxID: id, ...bounds });
      await call("PUT", `${path}/limits`, { body: { cpuPercent: 50 } });
      assert.equal((await call("GET", `${path}/autoscale`)).json.enabled, true);
      const scale = () => call("POST", `${path}/scale`, { body: { memoryMB: 2048 } });
      assert.equal((await scale()).json.autoscaleDisabled, true);
      assert.equal((await scale()).json.autoscaleDisabled, false);
      assert.deepEqual((await call("GET", `${path}/autoscale`)).json, {
        sandboxID: id,
        ...bounds,
        enabled: false,
      });
    });

    test("while locked, scale, limits and autoscale are 403 scaling_locked, and autoscale is off", async () => {
      const { id, path } = await create();
      await call("PUT", `${path}/autoscale`, { body: bounds });
      const locked = await call("PUT", `${path}/scaling-lock`, { body: { locked: true } });
      const shown = { sandboxID: id, locked: true };
      assert.deepEqual(scalingLockSchema.strict().parse(locked.json), shown);
      assert.deepEqual((await call("GET", `${path}/scaling-lock`)).json, shown);
      assert.equal((await call("GET", `${path}/autoscale`)).json.enabled, false);
      installation().worker.before = async (step) => {
        if (step === "scale") throw new WireError("internal_error", "the worker was asked");
      };
      const refused = [
        await call("POST", `${path}/scale`, { body: { memoryMB: 2048 } }),
        await call("PUT", `${path}/limits`, { body: { cpuPercent: 50 } }),
      ];
      installation().worker.before = async () => undefined;
      for (const { status, json } of refused) {
        assert.deepEqual([status, json.code], [403, "scaling_locked"]);
      }
      await call("PUT", `${path}/scaling-lock`, { body: { locked: false } });
      assert.equal((await call("GET", `${path}/autoscale`)).json.enabled, false);
      const scaled = await call("POST", `${path}/scale`, { body: { memoryMB: 2048 } });
      assert.equal(scaled.status, 200);
    });

    test("what is in use and does not fit is 409 oom_floor with its details", async () => {
      const { path } = await create();
      const details = {
        memoryUsedBytes: 700 * 1024 * 1024,
        requestedMemoryMB: 512,
        smallestMemoryMB: 747,
      };
      installation().worker.before = async (step) => {
        if (step === "scale") throw new WireError("oom_floor", "too much is in use", { details });
      };
      const refused = await call("POST", `${path}/scale`, { body: { memoryMB: 512 } });
      installation().worker.before = async () => undefined;
      assert.deepEqual([refused.status, refused.json.code], [409, "oom_floor"]);
      assert.deepEqual(refused.json.details, details);
      assert.equal(await memoryOf(path), 1024);
    });

    const refused: [string, string, unknown, RegExp][] = [
      ["POST", "scale", {}, /memoryMB.*256 to 16384/],
      ["POST", "scale", { memoryMB: 255 }, /memoryMB.*256 to 16384.*255/],
      ["POST", "scale", { memoryMB: 16385 }, /memoryMB.*256 to 16384.*16385/],
      ["POST", "scale", { memoryMB: 1024.5 }, /memoryMB/],
      ["POST", "scale", { memoryMB: "2048" }, /memoryMB/],
      ["POST", "scale", { memoryMB: 16384 }, /memoryMB.*at most 8192.*16384/],
      ["PUT", "limits", {}, /memoryMB, cpuPercent or both/],
      ["PUT", "limits", { cpuPercent: 4 }, /cpuPercent.*5 to 800/],
      ["PUT", "limits", { memoryMB: 16384 }, /at most 8192/],
      ["PUT", "autoscale", {}, /enabled/],
      ["PUT", "autoscale", { enabled: true }, /minMemoryMB and maxMemoryMB/],
      ["PUT", "autoscale", { ...bounds, minMemoryMB: 4097 }, /at most maxMemoryMB/],
      ["PUT", "autoscale", { ...bounds, maxMemoryMB: 16384 }, /maxMemoryMB.*at most 8192/],
      ["PUT", "scaling-lock", { locked: "yes" }, /locked/],
    ];
    for (const [method, route, body, text] of refused) {
      test(`${method} ${route} with ${JSON.stringify(body)} is 400 and changes nothing`, async () => {
        const { path } = await create();
        const response = await call(method, `${path}/${route}`, { body });
        assert.deepEqual([response.status, response.json.code], [400, "invalid_request"]);
        assert.match(response.json.error, text);
        assert.equal(await memoryOf(path), 1024);
      });
    }

    test("of another org's sandbox, or a killed one, there is nothing to scale", async () => {
      const { path } = await create();
      const key = await installation().secondOrgKey();
      const calls: [string, string, unknown][] = [
        ["POST", "scale", { memoryMB: 2048 }],
        ["PUT", "limits", { memoryMB: 2048 }],
        ["PUT", "autoscale", bounds],
        ["GET", "autoscale", undefined],
        ["PUT", "scaling-lock", { locked: true }],
        ["GET", "scaling-lock", undefined],
        ["POST", "reboot", undefined],
        ["POST", "power-cycle", undefined],
      ];
      for (const [method, route, body] of calls) {
        const options = body === undefined ? { key } : { key, body };
        assert.equal((await call(method, `${path}/${route}`, options)).status, 404, route);
      }
      await call("DELETE", path);
      for (const [method, route, body] of calls) {
        const options = body === undefined ? {} : { body };
        const { status, json } = await call(method, `${path}/${route}`, options);
        assert.deepEqual([status, json.code], [409, "sandbox_not_running"], route);
      }
    });

    test("a hibernated sandbox is woken to be scaled, not to be locked", async () => {
      const { path } = await create();
      await call("POST", `${path}/hibernate`);
      await call("PUT", `${path}/scaling-lock`, { body: { locked: true } });
      await call("PUT", `${path}/scaling-lock`, { body: { locked: false } });
      assert.equal((await call("GET", path)).json.status, "hibernated");
      await call("POST", `${path}/scale`, { body: { memoryMB: 2048 } });
      const { status, memoryMB } = (await call("GET", path)).json;
      assert.deepEqual([status, memoryMB], ["running", 2048]);
      await call("POST", `${path}/hibernate`);
      await call("POST", `${path}/wake`);
      assert.equal(await memoryOf(path), 2048);
    });

    test("a fork has the size, the CPU time and autoscale of its parent, not its lock", async () => {
      const { path } = await create();
      await call("PUT", `${path}/limits`, { body: { memoryMB: 2048, cpuPercent: 50 } });
      await call("PUT", `${path}/autoscale`, { body: bounds });
      const checkpoint = await call("POST", `${path}/checkpoints`, { body: { name: "one" } });
      const fork = async (body: object) => {
        const from = `/api/sandboxes/from-checkpoint/${checkpoint.json.id}`;
        const { sandboxID, memoryMB } = (await call("POST", from, { body })).json;
        const forkPath = `/api/sandboxes/${sandboxID}`;
        const { enabled } = (await call("GET", `${forkPath}/autoscale`)).json;
        const { scaling } = installation().worker.machines.get(sandboxID)?.request ?? {};
        return { memoryMB, enabled, cpuPercent: scaling?.cpuPercent };
      };
      assert.deepEqual(await fork({}), { memoryMB: 2048, enabled: true, cpuPercent: 50 });
      assert.deepEqual(await fork({ memoryMB: 4096 }), {
        memoryMB: 4096,
        enabled: false,
        cpuPercent: 50,
      });
    });

    test("a size that the worker changed by itself is in the row soon", async () => {
      const { id, path } = await create();
      const machine = installation().worker.machines.get(id);
      assert.ok(machine);
      const scaling = { ...initialScaling(1024), autoscale: bounds };
      machine.request = { ...machine.request, memoryMB: 2048, scaling };
      while ((await memoryOf(path)) !== 2048) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.equal((await call("GET", `${path}/autoscale`)).json.enabled, true);
    });
  });

  describeWithInstallation("reboot", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);

    for (const route of ["reboot", "power-cycle"]) {
      test(`${route}: another machine, the same sandbox, its session handed over first`, async () => {
        const { worker, egressProxy } = installation();
        const body = { envs: { A: "1" } };
        const { sandboxID: id } = (await call("POST", "/api/sandboxes", { body })).json;
        const path = `/api/sandboxes/${id}`;
        const before = worker.machines.get(id)?.machineId;
        assert.equal((await call("POST", `${path}/${route}`)).status, 204);
        const machine = worker.machines.get(id);
        assert.notEqual(machine?.machineId, before);
        assert.equal(machine?.state, "running");
        const events = worker.events.filter((event) => event.endsWith(id)).slice(-2);
        assert.deepEqual(events, [`${route} ${id}`, `start ${id}`]);
        assert.equal(egressProxy.sessions.get(id)?.sourceAddress, machine?.sourceAddress);
        const { status, memoryLost } = (await call("GET", path)).json;
        assert.deepEqual([status, memoryLost], ["running", undefined]);
      });
    }

    test("one that fails half-way is brought to what the worker has", async () => {
      const { worker } = installation();
      const { sandboxID: id } = (await call("POST", "/api/sandboxes")).json;
      worker.before = async (step) => {
        if (step === "reboot") throw new WireError("host_storage_full", "full");
      };
      const failed = await call("POST", `/api/sandboxes/${id}/reboot`);
      worker.before = async () => undefined;
      assert.equal(failed.status, 507);
      assert.equal((await call("GET", `/api/sandboxes/${id}`)).json.status, "running");
      const run = await call("POST", `/api/sandboxes/${id}/exec/run`, { body: { cmd: "x" } });
      assert.equal(run.status, 200);
    });
  });
}
