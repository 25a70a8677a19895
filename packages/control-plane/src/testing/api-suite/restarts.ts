import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { eq } from "../../database/query-builder.ts";
import { sandboxes, sandboxSecrets } from "../../database/schema.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const encryptionKey = "5a".repeat(32);

export function describeRestarts(openDatabase: OpenTestDatabase): void {
  describeWithInstallation(
    "restarts",
    openDatabase,
    (installation) => {
      const call: ReturnType<typeof installation>["call"] = (...parameters) =>
        installation().call(...parameters);
      const create = async (body: unknown = {}) =>
        (await call("POST", "/api/sandboxes", { body })).json.sandboxID as string;
      const statusOf = async (id: string) =>
        (await call("GET", `/api/sandboxes/${id}`)).json.status;

      test("a restarted proxy gets the same CA and every live session, and no dead one", async () => {
        const { egressProxy } = installation();
        const { id } = (await call("POST", "/api/secret-stores", { body: { name: "s" } })).json;
        await call("PUT", `/api/secret-stores/${id}/secrets/K`, { body: { value: "v" } });
        const live = await create({ secretStore: "s" });
        const dead = await create({ secretStore: "s" });
        await call("DELETE", `/api/sandboxes/${dead}`);
        const before = egressProxy.contentOf(live);
        const authority = egressProxy.certificateAuthority;
        await egressProxy.restart();
        await eventually(() => egressProxy.sessions.has(live), "the session exists again");
        assert.deepEqual(egressProxy.contentOf(live), before);
        assert.deepEqual(egressProxy.certificateAuthority, authority);
        assert.ok(!egressProxy.sessions.has(dead));
      });

      test("a proxy that lost its CA alone is filled again", async () => {
        const { egressProxy } = installation();
        egressProxy.certificateAuthority = undefined;
        await eventually(() => egressProxy.certificateAuthority !== undefined, "it has the CA");
      });

      test("a restarted worker gets the certificate, never the key, and keeps its sandboxes", async () => {
        const { worker, egressProxy } = installation();
        const id = await create();
        await worker.restart();
        await eventually(() => worker.trusted !== undefined, "the worker trusts the CA");
        const certificate = worker.trusted ?? "";
        assert.ok(new X509Certificate(certificate).ca);
        assert.ok(!certificate.includes("PRIVATE"));
        assert.equal(certificate, egressProxy.certificateAuthority?.certificatePem);
        assert.equal(await statusOf(id), "running");
      });

      test("a row whose machine was removed is stopped; one whose machine ended is hibernated", async () => {
        const { worker, egressProxy } = installation();
        const [lost, ended, kept] = [await create(), await create(), await create()];
        worker.machines.delete(lost);
        const machine = worker.machines.get(ended);
        assert.ok(machine !== undefined);
        machine.state = "hibernated";
        machine.sourceAddress = null;
        machine.machineId = null;
        machine.lostBecause = "its machine ended by itself";
        await worker.restart();
        await eventually(
          () => !egressProxy.sessions.has(lost) && !egressProxy.sessions.has(ended),
          "their sessions are taken",
        );
        await eventually(async () => (await statusOf(ended)) === "hibernated", "it is hibernated");
        const detail = (await call("GET", `/api/sandboxes/${ended}`)).json;
        assert.equal(detail.memoryLost, "its machine ended by itself");
        const path = `/api/sandboxes/${ended}/exec/run`;
        assert.equal((await call("POST", path, { body: { cmd: "true" } })).status, 200);
        const woken = (await call("GET", `/api/sandboxes/${ended}`)).json;
        assert.equal(woken.status, "running");
        assert.equal(woken.memoryLost, "its machine ended by itself", "it booted from its disk");
        assert.equal(await statusOf(lost), "stopped");
        assert.ok(egressProxy.sessions.has(kept));
        assert.equal(await statusOf(kept), "running");
        assert.match(installation().recorded(), /a sandbox has no machine/);
      });

      test("a row whose machine may be one that the worker cannot read stays, with its secrets", async () => {
        const { worker, database } = installation();
        const store = { name: "quarantined" };
        const { id: storeId } = (await call("POST", "/api/secret-stores", { body: store })).json;
        await call("PUT", `/api/secret-stores/${storeId}/secrets/K`, { body: { value: "v" } });
        const id = await create({ secretStore: store.name });
        const machine = worker.machines.get(id);
        assert.ok(machine !== undefined);
        worker.machines.delete(id);
        worker.status.quarantined = ["/data/worker/machines/00c0ffee"];
        await worker.restart();
        await eventually(
          () => installation().recorded().includes("may be among what its worker cannot read"),
          "the log says so",
        );
        assert.equal(await statusOf(id), "running");
        await eventually(
          async () => (await call("GET", "/api/health")).json.quarantinedCount === 1,
          "the health says so",
        );
        const secrets = await database
          .select()
          .from(sandboxSecrets)
          .where(eq(sandboxSecrets.sandboxId, id));
        assert.ok(secrets.length > 0);
        // Somebody repaired it.
        worker.machines.set(id, machine);
        worker.status.quarantined = [];
        await worker.restart();
        const path = `/api/sandboxes/${id}/exec/run`;
        await eventually(
          async () => (await call("POST", path, { body: { cmd: "true" } })).status === 200,
          "it works again",
        );
      });

      test("a machine of a stopped sandbox is deleted; one without a row stays, and is reported", async () => {
        const { worker, database } = installation();
        const [stopped, orphan] = [await create(), await create()];
        const change = database.update(sandboxes).set({ state: "stopped" });
        await change.where(eq(sandboxes.id, stopped));
        await database.delete(sandboxes).where(eq(sandboxes.id, orphan));
        await worker.restart();
        await eventually(() => !worker.machines.has(stopped), "the stopped one is deleted");
        await eventually(
          () => installation().recorded().includes("a machine has no sandbox in the database"),
          "the other is reported",
        );
        assert.ok(worker.machines.has(orphan));
        worker.machines.delete(orphan);
      });

      test("a machine that comes back at another address gets its session there", async () => {
        const { worker, egressProxy } = installation();
        const id = await create();
        const machine = worker.machines.get(id);
        assert.ok(machine !== undefined);
        machine.sourceAddress = "198.18.3.77";
        await worker.restart();
        await eventually(
          () => egressProxy.sessions.get(id)?.sourceAddress === "198.18.3.77",
          "the session has the new address",
        );
      });

      test("a running sandbox of an older database gets its session when its machine is known", async () => {
        const { worker, egressProxy, database } = installation();
        const id = await create();
        await database.update(sandboxes).set({ machineId: null }).where(eq(sandboxes.id, id));
        await egressProxy.restart();
        await eventually(
          () =>
            egressProxy.certificateAuthority !== undefined &&
            egressProxy.sessions.get(id)?.machineId === worker.machines.get(id)?.machineId,
          "the session names the machine",
        );
      });

      test("a restart of the control plane keeps sandboxes, tokens, CA and idle timer", async () => {
        const { egressProxy } = installation();
        const id = await create({ secretStore: "s", timeout: 3600 });
        const before = (await call("GET", `/api/sandboxes/${id}`)).json;
        const session = egressProxy.contentOf(id);
        const authority = egressProxy.certificateAuthority;
        await installation().restart();
        const after = (await call("GET", `/api/sandboxes/${id}`)).json;
        assert.deepEqual(after, before);
        await egressProxy.restart();
        await eventually(
          () => egressProxy.sessions.has(id) && egressProxy.certificateAuthority !== undefined,
          "the session and the CA are there again",
        );
        assert.deepEqual(egressProxy.contentOf(id), session);
        assert.deepEqual(egressProxy.certificateAuthority, authority);
      });

      test("a create that an earlier process left half-made is taken away", async () => {
        const { worker, database } = installation();
        const id = await create();
        await database.update(sandboxes).set({ state: "creating" }).where(eq(sandboxes.id, id));
        await installation().restart();
        await eventually(() => !worker.machines.has(id), "its machine was removed");
        assert.equal(await statusOf(id), "stopped");
      });

      test("an idle sandbox is hibernated, also when its time ran out while nobody watched", async () => {
        const { database, worker } = installation();
        const idle = await create({ timeout: 600 });
        const never = await create({ timeout: 0 });
        const anHourAgo = new Date(Date.now() - 3_600_000);
        for (const id of [idle, never]) {
          await database
            .update(sandboxes)
            .set({ lastActiveAt: anHourAgo })
            .where(eq(sandboxes.id, id));
        }
        await installation().restart();
        await eventually(
          () => worker.machines.get(idle)?.state === "hibernated",
          "the idle one is hibernated",
        );
        await eventually(
          async () => (await statusOf(idle)) === "hibernated",
          "its status is hibernated",
        );
        assert.equal(await statusOf(never), "running");
      });

      test("every routed operation moves the idle timer", async () => {
        const { database } = installation();
        const id = await create({ timeout: 600 });
        const past = new Date(Date.now() - 60_000);
        const endAt = async () =>
          Date.parse((await call("GET", `/api/sandboxes/${id}`)).json.endAt);
        for (const operate of [
          () => call("POST", `/api/sandboxes/${id}/exec/run`, { body: { cmd: "true" } }),
          () => call("GET", `/api/sandboxes/${id}/files/list?path=/`),
          () => call("POST", `/api/sandboxes/${id}/timeout`, { body: { timeout: 600 } }),
        ]) {
          await installation().restart();
          await database.update(sandboxes).set({ lastActiveAt: past }).where(eq(sandboxes.id, id));
          const before = await endAt();
          await operate();
          assert.ok((await endAt()) > before + 50_000);
        }
      });

      test("a stopped sandbox is forgotten after ten minutes", async () => {
        const { database } = installation();
        const id = await create();
        await call("DELETE", `/api/sandboxes/${id}`);
        const stoppedAt = new Date(Date.now() - 601_000);
        await database.update(sandboxes).set({ stoppedAt }).where(eq(sandboxes.id, id));
        await eventually(
          async () => (await call("GET", `/api/sandboxes/${id}`)).status === 404,
          "it is forgotten",
        );
      });

      test("another encryption key is refused at start, with an error that has the next step", async () => {
        await assert.rejects(
          installation().restart({ encryptionKey: "6b".repeat(32) }),
          /not the one that this database was made with.*OPENSANDBOX_SECRET_ENCRYPTION_KEY/,
        );
        await installation().restart({ encryptionKey });
      });
    },
    { encryptionKey },
  );
}
