import assert from "node:assert/strict";
import { test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { sandboxes, sandboxSecrets } from "../../database/schema.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeFailures(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("failures of a create", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const nothingIsLeft = async () => {
      const { worker, egressProxy, database } = installation();
      assert.equal(worker.machines.size, 0, "machines");
      assert.equal(egressProxy.sessions.size, 0, "sessions");
      assert.equal((await database.select().from(sandboxes)).length, 0, "rows");
      assert.equal((await database.select().from(sandboxSecrets)).length, 0, "copies");
    };
    const makeStore = async () => {
      const { id } = (await call("POST", "/api/secret-stores", { body: { name: "s" } })).json;
      await call("PUT", `/api/secret-stores/${id}/secrets/K`, { body: { value: "v" } });
    };

    for (const step of ["prepare", "start"] as const) {
      test(`the worker fails to ${step}: its error is returned and nothing is left`, async () => {
        if (step === "prepare") await makeStore();
        const { worker } = installation();
        worker.before = async (current) => {
          if (current === step) throw new WireError("capacity_exhausted", "no slot is free");
        };
        const response = await call("POST", "/api/sandboxes", { body: { secretStore: "s" } });
        worker.before = async () => undefined;
        assert.deepEqual(
          [response.status, response.json],
          [503, { error: "no slot is free", code: "capacity_exhausted" }],
        );
        await nothingIsLeft();
      });
    }

    test("the proxy refuses the session: the guest never runs and nothing is left", async () => {
      const { worker, egressProxy } = installation();
      egressProxy.before = async (step) => {
        if (step === "put") throw new WireError("internal_error", "cannot hold it");
      };
      worker.events.length = 0;
      const response = await call("POST", "/api/sandboxes", { body: { secretStore: "s" } });
      egressProxy.before = async () => undefined;
      assert.equal(response.status, 500);
      assert.ok(!worker.events.some((event) => event.startsWith("start")));
      await nothingIsLeft();
    });

    for (const step of ["prepare", "start"] as const) {
      test(`the client goes away during ${step}: nothing is left`, async () => {
        const { worker } = installation();
        const client = new AbortController();
        let reached = (): void => undefined;
        let proceed = (): void => undefined;
        const atStep = new Promise<void>((resolve) => {
          reached = resolve;
        });
        const held = new Promise<void>((resolve) => {
          proceed = resolve;
        });
        worker.before = async (current) => {
          if (current !== step) return;
          reached();
          await held;
        };
        const request = call("POST", "/api/sandboxes", { signal: client.signal });
        await atStep;
        client.abort();
        await assert.rejects(request, { name: "AbortError" });
        // The server sees the closed connection in its own time; the create continues after it.
        await new Promise((resolve) => setTimeout(resolve, 100));
        proceed();
        worker.before = async () => undefined;
        await eventually(
          async () => (await installation().database.select().from(sandboxes)).length === 0,
          "the create is undone",
        );
        await nothingIsLeft();
      });
    }

    test("one failing create does not touch those beside it", async () => {
      const { worker } = installation();
      let prepared = 0;
      worker.before = async (step) => {
        if (step === "prepare" && ++prepared === 2) throw new WireError("guest_failed", "no");
      };
      const statuses = await Promise.all(
        [1, 2, 3, 4].map(async () => (await call("POST", "/api/sandboxes")).status),
      );
      worker.before = async () => undefined;
      assert.deepEqual(statuses.toSorted(), [201, 201, 201, 502]);
      assert.equal(worker.machines.size, 3);
      for (const sandboxId of worker.machines.keys()) {
        await call("DELETE", `/api/sandboxes/${sandboxId}`);
      }
    });

    test("a worker that is not ready gives 503 with its stage or its failure", async () => {
      const { worker } = installation();
      const ready = worker.status;
      worker.status = { ...ready, ready: false, stage: "baking the golden snapshot" };
      await eventually(
        async () => !(await call("GET", "/health")).json.ready,
        "health says that it is not ready",
      );
      const baking = await call("POST", "/api/sandboxes");
      assert.deepEqual([baking.status, baking.json.code], [503, "worker_unavailable"]);
      assert.equal(baking.headers.get("retry-after"), "2");
      assert.match(baking.json.error, /baking the golden snapshot/);
      worker.status = { ...worker.status, failure: "KVM was asked for and does not work" };
      await eventually(
        async () => /KVM was asked/.test((await call("POST", "/api/sandboxes")).json.error),
        "the failure is reported",
      );
      worker.status = ready;
      assert.equal((await call("POST", "/api/sandboxes")).status, 201, "ready at once");
    });

    test("while worker or proxy is away, creates fail with 503 and name which", async () => {
      const { worker, egressProxy } = installation();
      const refusal = async (code: string) => {
        await eventually(async () => {
          const response = await call("POST", "/api/sandboxes");
          return response.status === 503 && response.json.code === code;
        }, `creates response ${code}`);
      };
      await egressProxy.stop();
      await refusal("egress_proxy_unavailable");
      await egressProxy.start();
      await worker.stop();
      await refusal("worker_unavailable");
      await worker.start();
      assert.equal((await call("POST", "/api/sandboxes")).status, 201);
    });

    test("a kill while the worker is away cuts the sandbox off and is completed later", async () => {
      const { worker, egressProxy } = installation();
      const { sandboxID } = (await call("POST", "/api/sandboxes")).json;
      await worker.stop();
      const response = await call("DELETE", `/api/sandboxes/${sandboxID}`);
      assert.deepEqual([response.status, response.json.code], [503, "worker_unavailable"]);
      assert.ok(!egressProxy.sessions.has(sandboxID));
      const path = `/api/sandboxes/${sandboxID}`;
      assert.equal((await call("GET", path)).json.status, "stopped");
      await worker.start();
      assert.equal((await call("DELETE", path)).status, 204);
      assert.ok(!worker.machines.has(sandboxID));
    });

    test("a kill while the proxy is away succeeds: that proxy holds nothing", async () => {
      const { egressProxy } = installation();
      const { sandboxID } = (await call("POST", "/api/sandboxes")).json;
      await egressProxy.stop();
      assert.equal((await call("DELETE", `/api/sandboxes/${sandboxID}`)).status, 204);
      await egressProxy.restart();
      await eventually(
        () => egressProxy.certificateAuthority !== undefined,
        "the new proxy is filled",
      );
      assert.ok(!egressProxy.sessions.has(sandboxID));
    });
  });
}
