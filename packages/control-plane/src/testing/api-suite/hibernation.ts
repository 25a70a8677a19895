import assert from "node:assert/strict";
import { test } from "node:test";
import {
  hibernateResponseSchema,
  sandboxDetailSchema,
  WireError,
  wokenSandboxSchema,
} from "@opencomputer/protocol/api";
import { eq } from "../../database/query-builder.ts";
import { sandboxes } from "../../database/schema.ts";
import { hibernatedBytes } from "../fake-worker/saved-states.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeHibernation(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("hibernation", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (body: unknown = {}) =>
      (await call("POST", "/api/sandboxes", { body })).json.sandboxID as string;
    const hibernate = (id: string) => call("POST", `/api/sandboxes/${id}/hibernate`);
    const wake = (id: string, body?: unknown) =>
      call("POST", `/api/sandboxes/${id}/wake`, { body });
    const run = (id: string, cmd = "true") =>
      call("POST", `/api/sandboxes/${id}/exec/run`, { body: { cmd } });
    const get = async (id: string) => (await call("GET", `/api/sandboxes/${id}`)).json;
    const machineOf = (id: string) => {
      const machine = installation().worker.machines.get(id);
      assert.ok(machine !== undefined);
      return machine;
    };
    const eventsOf = (id: string, kind: string) =>
      installation().worker.events.filter((event) => event === `${kind} ${id}`).length;
    /** Holds the fake worker in one step until the function that is returned is called. */
    const holdAt = (held: string) => {
      const { worker } = installation();
      let reached = (): void => undefined;
      let proceed = (): void => undefined;
      const atStep = new Promise<void>((resolve) => {
        reached = resolve;
      });
      const released = new Promise<void>((resolve) => {
        proceed = resolve;
      });
      worker.before = async (step) => {
        if (step !== held) return;
        worker.before = async () => undefined;
        reached();
        await released;
      };
      return { atStep, proceed };
    };

    test("hibernate responds with the size, and the same again; status, list and session follow", async () => {
      const id = await create();
      const response = await hibernate(id);
      assert.equal(response.status, 200);
      const body = hibernateResponseSchema.strict().parse(response.json);
      assert.deepEqual(body, { sandboxID: id, status: "hibernated", sizeBytes: hibernatedBytes });
      assert.deepEqual((await hibernate(id)).json, body);
      assert.equal(eventsOf(id, "hibernate"), 1);
      const detail = sandboxDetailSchema.strict().parse(await get(id));
      assert.deepEqual([detail.status, detail.endAt], ["hibernated", null]);
      assert.ok(!installation().egressProxy.sessions.has(id));
      const idsOf = async (query: string) =>
        (await call("GET", `/api/sandboxes${query}`)).json.map(
          (row: { sandboxID: string }) => row.sandboxID,
        );
      assert.ok((await idsOf("")).includes(id), "the list has hibernated ones");
      assert.ok((await idsOf("?status=hibernated")).includes(id));
      assert.ok(!(await idsOf("?status=running")).includes(id));
    });

    test("wake brings back tokens, envs and policy, at a new address and with the time-out", async () => {
      const { egressProxy } = installation();
      const store = (
        await call("POST", "/api/secret-stores", {
          body: { name: "s", egressAllowlist: ["a.example.com"] },
        })
      ).json.id;
      await call("PUT", `/api/secret-stores/${store}/secrets/K`, { body: { value: "v1" } });
      const id = await create({ secretStore: "s", envs: { PLAIN: "p" }, timeout: 1234 });
      const before = egressProxy.contentOf(id);
      const { envs } = machineOf(id).request;
      await hibernate(id);
      const response = await wake(id);
      assert.equal(response.status, 200);
      const woken = wokenSandboxSchema.strict().parse(response.json);
      const detail = await get(id);
      assert.deepEqual([woken.status, woken.token], ["running", detail.token]);
      assert.equal(Date.parse(detail.endAt) > Date.now() + 1_200_000, true);
      assert.deepEqual(machineOf(id).request.envs, envs);
      assert.equal(envs["PLAIN"], "p");
      const after = egressProxy.contentOf(id);
      assert.notEqual(after?.sourceAddress, before?.sourceAddress);
      assert.notEqual(after?.machineId, before?.machineId);
      const slot = { sourceAddress: null, machineId: null };
      assert.deepEqual({ ...after, ...slot }, { ...before, ...slot });
      assert.deepEqual(
        (await wake(id)).json,
        response.json,
        "one that runs gets the same response",
      );
    });

    test("wake's own time-out replaces the original one", async () => {
      const id = await create({ timeout: 600 });
      await hibernate(id);
      await wake(id, { timeout: 0 });
      assert.equal((await get(id)).endAt, null);
      assert.match((await wake(id, { timeout: -1 })).json.error, /positive/);
    });

    test("a secret that is rotated meanwhile has its new value after the wake", async () => {
      const { egressProxy } = installation();
      const store = (await call("POST", "/api/secret-stores", { body: { name: "rotated" } })).json
        .id;
      const path = `/api/secret-stores/${store}/secrets/K`;
      await call("PUT", path, { body: { value: "old" } });
      const id = await create({ secretStore: "rotated" });
      const token = egressProxy.sessions.get(id)?.secrets[0]?.token;
      await hibernate(id);
      await call("PUT", path, { body: { value: "new", allowedHosts: ["b.example.com"] } });
      assert.ok(!egressProxy.sessions.has(id), "rotation wakes nothing");
      const hosts = (await call("GET", `/api/sandboxes/${id}/allowed-hosts`)).json;
      assert.deepEqual(hosts.perSecretAllowedHosts, { K: ["b.example.com"] });
      assert.equal((await get(id)).status, "hibernated", "allowed-hosts wakes nothing");
      await wake(id);
      assert.deepEqual(egressProxy.sessions.get(id)?.secrets, [
        {
          ...{ name: "K", token, value: "new" },
          ...{ allowedHosts: ["b.example.com"], substituteIn: ["header", "body"] },
        },
      ]);
      assert.deepEqual(
        egressProxy.sessions.get(id)?.formerSecrets.map(({ value }) => value),
        ["old"],
      );
    });

    test("not one instruction runs after the wake before its session is in place", async () => {
      const { worker, egressProxy } = installation();
      const id = await create();
      await hibernate(id);
      let addressAtStart: string | undefined;
      worker.before = async (step) => {
        if (step === "start") addressAtStart = egressProxy.sessions.get(id)?.sourceAddress;
      };
      await wake(id);
      worker.before = async () => undefined;
      assert.equal(addressAtStart, machineOf(id).sourceAddress);
    });

    test("a hundred requests at once share one wake and all succeed", async () => {
      const id = await create();
      await call("PUT", `/api/sandboxes/${id}/files?path=/f`, { rawBody: "content" });
      await hibernate(id);
      const responses = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          index % 2 === 0 ? run(id) : call("GET", `/api/sandboxes/${id}/files?path=/f`),
        ),
      );
      assert.deepEqual([...new Set(responses.map(({ status }) => status))], [200]);
      assert.equal(eventsOf(id, "wake"), 1);
    });

    test("every data route wakes; set-timeout, tags and get do not", async () => {
      const id = await create();
      for (const [method, route, body] of [
        ["POST", "timeout", { timeout: 77 }],
        ["PUT", "tags", { a: "b" }],
        ["GET", "tags", undefined],
        ["GET", "allowed-hosts", undefined],
      ] as const) {
        await hibernate(id);
        const response = await call(method, `/api/sandboxes/${id}/${route}`, { body });
        assert.ok(response.status < 300, route);
        assert.equal((await get(id)).status, "hibernated", route);
      }
      for (const [method, route, body] of [
        ["POST", "exec/run", { cmd: "true" }],
        ["GET", "files/list?path=/", undefined],
        ["POST", "files/mkdir?path=/d", undefined],
        ["PUT", "files?path=/g", {}],
        ["DELETE", "files?path=/g", undefined],
        ["POST", "files/download-url", { path: "/g" }],
      ] as const) {
        await hibernate(id);
        const response = await call(method, `/api/sandboxes/${id}/${route}`, { body });
        assert.ok(response.status < 300, `${route} ${response.text}`);
        assert.equal((await get(id)).status, "running", route);
      }
    });

    test("a request during the hibernation waits for it, and then wakes", async () => {
      const id = await create();
      const { atStep, proceed } = holdAt("hibernate");
      const hibernation = hibernate(id);
      await atStep;
      assert.equal((await get(id)).status, "hibernated");
      const command = run(id, "after");
      await new Promise((resolve) => setTimeout(resolve, 50));
      proceed();
      assert.equal((await hibernation).status, 200);
      assert.deepEqual([(await command).status, (await command).json.stdout], [200, "after\n"]);
      assert.equal(eventsOf(id, "wake"), 1);
    });

    test("a command under way at an explicit hibernate ends with 409 outcome_unknown", async () => {
      const { worker } = installation();
      const id = await create();
      const before = worker.run;
      worker.run = () => new Promise(() => undefined);
      const command = run(id, "sleep");
      await eventually(
        async () => Date.parse((await get(id)).endAt) > Date.now() + 299_900,
        "it is under way",
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal((await hibernate(id)).status, 200);
      const response = await command;
      worker.run = before;
      assert.deepEqual([response.status, response.json.code], [409, "outcome_unknown"]);
      assert.match(response.json.error, /was hibernated during this operation/);
      assert.equal((await get(id)).status, "hibernated");
    });

    test("idle hibernation never happens during an operation", async () => {
      const { worker, database } = installation();
      const id = await create({ timeout: 1 });
      const before = worker.run;
      let finish = (): void => undefined;
      worker.run = () =>
        new Promise((resolve) => {
          finish = () => resolve({ exitCode: 0, stdout: "done", stderr: "" });
        });
      const command = run(id);
      await new Promise((resolve) => setTimeout(resolve, 100));
      const anHourAgo = new Date(Date.now() - 3_600_000);
      await database.update(sandboxes).set({ lastActiveAt: anHourAgo }).where(eq(sandboxes.id, id));
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      assert.equal((await get(id)).status, "running");
      finish();
      assert.equal((await command).json.stdout, "done");
      worker.run = before;
      await eventually(async () => (await get(id)).status === "hibernated", "it is idle now");
    });

    test("use that the worker alone knows of keeps a sandbox awake", async () => {
      const { worker } = installation();
      worker.useOf = () => ({ operations: 1 });
      const id = await create({ timeout: 1 });
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      assert.equal((await get(id)).status, "running");
      worker.useOf = () => ({});
      await eventually(async () => (await get(id)).status === "hibernated", "it is idle now");
    });

    test("with idle cpu, use of the CPU keeps a sandbox awake; with the default it does not", async () => {
      const { worker, database } = installation();
      worker.useOf = () => ({ cpuLastUsedAt: new Date().toISOString() });
      const [byCpu, byRequests] = [
        await create({ timeout: 1, idle: "cpu" }),
        await create({ timeout: 1 }),
      ];
      assert.equal((await get(byCpu)).idle, "cpu");
      assert.equal((await get(byRequests)).idle, "requests");
      await eventually(async () => (await get(byRequests)).status === "hibernated", "it is idle");
      const anHourAgo = new Date(Date.now() - 3_600_000);
      const isByCpu = eq(sandboxes.id, byCpu);
      await database.update(sandboxes).set({ lastActiveAt: anHourAgo }).where(isByCpu);
      await eventually(async () => {
        const [row] = await database.select().from(sandboxes).where(isByCpu);
        return row !== undefined && row.lastActiveAt > anHourAgo;
      }, "its use was written down");
      assert.equal(worker.machines.get(byCpu)?.state, "running");
      worker.useOf = () => ({});
      await eventually(async () => (await get(byCpu)).status === "hibernated", "it is idle, too");
      for (const idle of ["always", "", 1]) {
        const refused = await call("POST", "/api/sandboxes", { body: { idle } });
        assert.equal(refused.status, 400);
        assert.match(refused.json.error, /idle: .*requests.*cpu/);
      }
    });

    test("a kill wins over a hibernation and over a wake under way", async () => {
      const { worker, egressProxy } = installation();
      for (const step of ["hibernate", "wake", "start"]) {
        const id = await create();
        if (step !== "hibernate") await hibernate(id);
        const { atStep, proceed } = holdAt(step);
        const change = step === "hibernate" ? hibernate(id) : wake(id);
        await atStep;
        assert.equal((await call("DELETE", `/api/sandboxes/${id}`)).status, 204, step);
        proceed();
        const response = await change;
        assert.ok([404, 409].includes(response.status), `${step} ${response.status}`);
        assert.equal((await get(id)).status, "stopped", step);
        assert.ok(!worker.machines.has(id) && !egressProxy.sessions.has(id), step);
        assert.equal((await run(id)).json.code, "sandbox_not_running");
      }
    });

    test("a hibernated sandbox can be killed", async () => {
      const id = await create();
      await hibernate(id);
      assert.equal((await call("DELETE", `/api/sandboxes/${id}`)).status, 204);
      assert.ok(!installation().worker.machines.has(id));
      for (const response of [await hibernate(id), await wake(id), await run(id)]) {
        assert.deepEqual([response.status, response.json.code], [409, "sandbox_not_running"]);
      }
    });

    test("a full disk: hibernate fails with host_storage_full, and the sandbox keeps running", async () => {
      const { worker, egressProxy } = installation();
      const id = await create();
      worker.before = async (step) => {
        if (step === "hibernate") throw new WireError("host_storage_full", "the disk is full");
      };
      const response = await hibernate(id);
      worker.before = async () => undefined;
      assert.deepEqual([response.status, response.json.code], [507, "host_storage_full"]);
      assert.equal((await get(id)).status, "running");
      assert.ok(egressProxy.sessions.has(id));
      assert.equal((await run(id)).status, 200);
    });

    for (const step of ["wake", "start"] as const) {
      test(`a wake that fails at ${step} leaves it hibernated, and the next one works`, async () => {
        const { worker, egressProxy } = installation();
        const id = await create();
        await hibernate(id);
        worker.before = async (current) => {
          if (current === step) throw new WireError("capacity_exhausted", "no slot is free");
        };
        const responses = await Promise.all([run(id), run(id), wake(id)]);
        worker.before = async () => undefined;
        for (const response of responses) {
          assert.deepEqual([response.status, response.json.error], [503, "no slot is free"]);
        }
        assert.equal((await get(id)).status, "hibernated");
        assert.equal(machineOf(id).state, "hibernated");
        assert.ok(!egressProxy.sessions.has(id));
        assert.equal((await run(id)).status, 200);
      });
    }

    test("a wake that the proxy refuses starts nothing and leaves it hibernated", async () => {
      const { egressProxy } = installation();
      const id = await create();
      await hibernate(id);
      const starts = eventsOf(id, "start");
      egressProxy.before = async (step) => {
        if (step === "put") throw new WireError("internal_error", "cannot hold it");
      };
      const response = await run(id);
      egressProxy.before = async () => undefined;
      assert.equal(response.status, 500);
      assert.equal(eventsOf(id, "start"), starts);
      assert.equal((await get(id)).status, "hibernated");
      assert.equal(machineOf(id).state, "hibernated");
      assert.equal((await run(id)).status, 200);
    });

    test("memory that is lost at a wake is reported until the next hibernate", async () => {
      const id = await create();
      await hibernate(id);
      machineOf(id).lostBecause = "its memory image is damaged";
      const woken = (await wake(id)).json;
      assert.equal(woken.memoryLost, "its memory image is damaged");
      assert.equal((await get(id)).memoryLost, "its memory image is damaged");
      machineOf(id).lostBecause = null;
      await hibernate(id);
      assert.equal((await get(id)).memoryLost, undefined);
      assert.equal((await wake(id)).json.memoryLost, undefined);
    });

    test("a machine that ended by itself: the operation that met it fails, the next one wakes it", async () => {
      const id = await create();
      const machine = machineOf(id);
      machine.state = "hibernated";
      machine.sourceAddress = null;
      machine.machineId = null;
      machine.lostBecause = "its machine ended by itself";
      const met = await run(id);
      assert.deepEqual([met.status, met.json.code], [409, "sandbox_not_running"]);
      assert.equal((await run(id)).status, 200);
      assert.equal((await get(id)).memoryLost, "its machine ended by itself");
    });

    test("a guest that the worker gives up: the operations that met it fail, the next one boots it", async () => {
      const { worker } = installation();
      const id = await create();
      await hibernate(id);
      let starts = 0;
      worker.before = async (step) => {
        const machine = machineOf(id);
        if (step === "hibernate" && machine.state !== "hibernated") {
          throw new WireError("sandbox_not_running", "it was prepared and not started yet");
        }
        if (step !== "start") return;
        starts += 1;
        if (starts === 3) {
          machine.state = "hibernated";
          machine.sourceAddress = null;
          machine.machineId = null;
          machine.lostBecause = "it did not start";
        }
        throw new WireError("guest_failed", "no response");
      };
      while (starts < 3) {
        const { status, json } = await run(id);
        assert.deepEqual([status, json.code, json.error], [502, "guest_failed", "no response"]);
      }
      worker.before = async () => undefined;
      assert.equal((await run(id)).status, 200);
      assert.equal((await get(id)).memoryLost, "it did not start");
    });

    test("ids that are unknown are 404", async () => {
      for (const response of [
        await hibernate("sb-aaaaaaaaaaaaaaaaaaaa"),
        await wake("sb-aaaaaaaaaaaaaaaaaaaa"),
      ]) {
        assert.deepEqual([response.status, response.json.code], [404, "sandbox_not_found"]);
      }
    });
  });
}
