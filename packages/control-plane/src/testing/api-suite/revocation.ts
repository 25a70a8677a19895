import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { secretEntrySchema, WireError } from "@opencomputer/protocol/api";
import { and, eq } from "../../database/query-builder.ts";
import {
  checkpointSecrets,
  sandboxes,
  sandboxSecrets,
  storeSecrets,
} from "../../database/schema.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeRevocation(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("revocation of secrets", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const set = (store: string, value: string, name = "K") =>
      call("PUT", `/api/secret-stores/${store}/secrets/${name}`, { body: { value } });
    const makeStore = async (name: string, value = "v1") => {
      const { id } = (await call("POST", "/api/secret-stores", { body: { name } })).json;
      await set(id, value);
      return id as string;
    };
    const revoke = (store: string, name = "K") =>
      call("POST", `/api/secret-stores/${store}/secrets/${name}/revoke`);
    const create = async (body: Record<string, unknown>) =>
      (await call("POST", "/api/sandboxes", { body })).json.sandboxID as string;
    const checkpointOf = async (id: string) => {
      const path = `/api/sandboxes/${id}/checkpoints`;
      const cid: string = (await call("POST", path, { body: { name: "c" } })).json.id;
      const isReady = async () =>
        (await call("GET", path)).json.some(
          (row: { id: string; status: string }) => row.id === cid && row.status === "ready",
        );
      await eventually(isReady, "the checkpoint is ready");
      return cid;
    };
    const fork = async (cid: string, body: unknown = {}) =>
      (await call("POST", `/api/sandboxes/from-checkpoint/${cid}`, { body })).json
        .sandboxID as string;
    const session = (id: string) => {
      const found = installation().egressProxy.sessions.get(id);
      assert.ok(found !== undefined, `sandbox ${id} has a session`);
      return found;
    };
    /** Asserts that a sandbox cannot use a value, that it is searched for, and that its token is known. */
    const assertRevoked = (id: string, token: string, value = "v1") => {
      const { secrets, formerSecrets, revokedSecrets } = session(id);
      assert.deepEqual(secrets, []);
      assert.deepEqual(revokedSecrets, [{ name: "K", token }]);
      assert.ok(formerSecrets.some((former) => former.value === value && former.token === token));
    };
    const pendingOf = async (id: string) => {
      const rows = await installation()
        .database.select()
        .from(sandboxes)
        .where(eq(sandboxes.id, id));
      assert.equal(rows.length, 1);
      return rows[0]?.pendingRevocation ?? null;
    };
    const tokenOf = (id: string) => {
      const [secret] = session(id).secrets;
      assert.ok(secret !== undefined);
      return secret.token;
    };

    test("reaches what runs before the response, what is hibernated, and forks at any depth", async () => {
      const store = await makeStore("everywhere");
      const running = await create({ secretStore: "everywhere" });
      const token = tokenOf(running);
      const checkpoint = await checkpointOf(running);
      const child = await fork(checkpoint);
      const grandchild = await fork(await checkpointOf(child));
      const hibernated = await create({ secretStore: "everywhere" });
      const hibernatedToken = tokenOf(hibernated);
      await call("POST", `/api/sandboxes/${hibernated}/hibernate`);

      const response = await revoke(store);
      assert.deepEqual([response.status, response.json], [200, { name: "K", status: "revoked" }]);
      for (const id of [running, child, grandchild]) assertRevoked(id, token);
      await call("POST", `/api/sandboxes/${hibernated}/wake`, { body: {} });
      assertRevoked(hibernated, hibernatedToken);
      const later = await fork(checkpoint);
      assertRevoked(later, token);
      assertRevoked(await fork(await checkpointOf(later)), token);
      await call("POST", `/api/sandboxes/${running}/checkpoints/${checkpoint}/restore`);
      await eventually(
        async () => (await call("GET", `/api/sandboxes/${running}`)).json.status === "running",
        "the sandbox is restored",
      );
      assertRevoked(running, token);
    });

    test("leaves other secrets, other stores and other orgs alone", async () => {
      const store = await makeStore("one");
      await set(store, "other", "OTHER");
      await makeStore("two", "of two");
      const [one, two] = [
        await create({ secretStore: "one" }),
        await create({ secretStore: "two" }),
      ];
      await revoke(store);
      assert.deepEqual(
        [one, two].map((id) => session(id).secrets.map(({ value }) => value)),
        [["other"], ["of two"]],
      );
      const key = await installation().secondOrgKey();
      const path = `/api/secret-stores/${store}/secrets/OTHER/revoke`;
      const foreign = await call("POST", path, { key });
      assert.deepEqual([foreign.status, foreign.json.code], [404, "not_found"]);
      assert.equal(session(one).secrets.length, 1);
    });

    test("the store forgets the value, lists the time, and gives new sandboxes nothing", async () => {
      const store = await makeStore("forgotten");
      const before = await installation().database.select().from(storeSecrets);
      await revoke(store);
      const [row] = await installation()
        .database.select()
        .from(storeSecrets)
        .where(eq(storeSecrets.storeId, store));
      assert.ok(row !== undefined && !before.some(({ encrypted }) => encrypted === row.encrypted));
      const [entry] = (await call("GET", `/api/secret-stores/${store}/secrets`)).json;
      assert.ok(secretEntrySchema.strict().parse(entry).revokedAt !== undefined);
      const { secrets, revokedSecrets } = session(await create({ secretStore: "forgotten" }));
      assert.deepEqual([secrets, revokedSecrets], [[], []]);
    });

    test("twice is once; an unknown secret, store and name is 404", async () => {
      const store = await makeStore("twice");
      await create({ secretStore: "twice" });
      await revoke(store);
      const listed = async () => (await call("GET", `/api/secret-stores/${store}/secrets`)).text;
      const before = await listed();
      assert.equal((await revoke(store)).status, 200);
      assert.equal(await listed(), before);
      for (const [id, name] of [
        [store, "ABSENT"],
        ["00000000-0000-4000-8000-000000000000", "K"],
        ["x", "K"],
      ] as const) {
        const absent = await revoke(id, name);
        assert.deepEqual([absent.status, absent.json.code], [404, "not_found"], id);
      }
    });

    test("setting the secret again brings its tokens back to life, with the new value alone", async () => {
      const store = await makeStore("again");
      const id = await create({ secretStore: "again" });
      const token = tokenOf(id);
      await revoke(store);
      await set(store, "v2");
      const { secrets, formerSecrets, revokedSecrets } = session(id);
      assert.deepEqual(
        secrets.map((secret) => [secret.token, secret.value]),
        [[token, "v2"]],
      );
      assert.deepEqual([formerSecrets.map(({ value }) => value), revokedSecrets], [["v1"], []]);
      const [entry] = (await call("GET", `/api/secret-stores/${store}/secrets`)).json;
      assert.equal("revokedAt" in entry, false);
    });

    test("changed placements of a store do not bring it back", async () => {
      const store = await makeStore("placed");
      const id = await create({ secretStore: "placed" });
      const token = tokenOf(id);
      await revoke(store);
      await call("PUT", `/api/secret-stores/${store}`, { body: { substituteIn: ["query"] } });
      assertRevoked(id, token);
    });

    test("a fork's own value of the same name is not the revoked one", async () => {
      const store = await makeStore("parent");
      await makeStore("own", "of the fork");
      const parent = await create({ secretStore: "parent" });
      const token = tokenOf(parent);
      const checkpoint = await checkpointOf(parent);
      await revoke(store);
      const child = await fork(checkpoint, { secretStore: "own" });
      assert.deepEqual(
        session(child).secrets.map((secret) => [secret.token, secret.value]),
        [[token, "of the fork"]],
      );
      assert.deepEqual(
        session(child).formerSecrets.map(({ value }) => value),
        ["v1"],
      );
    });

    test("a deleted secret and a deleted store leave copies, which can be revoked all the same", async () => {
      const deletions: [string, (store: string) => string][] = [
        ["deleted-secret", (store) => `/api/secret-stores/${store}/secrets/K`],
        ["deleted-store", (store) => `/api/secret-stores/${store}`],
      ];
      for (const [name, path] of deletions) {
        const store = await makeStore(name);
        const id = await create({ secretStore: name });
        const token = tokenOf(id);
        assert.equal((await call("DELETE", path(store))).status, 204);
        assert.equal(session(id).secrets[0]?.value, "v1", "the sandbox keeps its copy");
        assert.equal((await revoke(store)).status, 200);
        assertRevoked(id, token);
      }
    });

    test("a project's secret alike, and not through the path of a store", async () => {
      const project = (await call("POST", "/api/projects", { body: { name: "p" } })).json.id;
      const path = `/api/projects/${project}/secrets/K`;
      await call("PUT", path, { body: { value: "v1" } });
      const id = await create({ project: "p" });
      const token = tokenOf(id);
      const [row] = await installation()
        .database.select({ storeId: storeSecrets.storeId })
        .from(storeSecrets)
        .orderBy(storeSecrets.createdAt)
        .then((rows) => rows.slice(-1));
      assert.equal((await revoke(row?.storeId ?? "")).status, 404);
      assert.equal(session(id).secrets.length, 1);
      assert.equal((await call("POST", `${path}/revoke`)).status, 200);
      assertRevoked(id, token);
      assert.equal((await call("POST", `/api/projects/${project}/secrets/X/revoke`)).status, 404);
    });

    test("allowed-hosts lists it no more, running and hibernated", async () => {
      const store = await makeStore("listed");
      const id = await create({ secretStore: "listed" });
      const forAll = async () =>
        (await call("GET", `/api/sandboxes/${id}/allowed-hosts`)).json.secretsForAllHosts;
      assert.deepEqual(await forAll(), ["K"]);
      await revoke(store);
      assert.equal(await forAll(), undefined);
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      assert.equal(await forAll(), undefined);
    });

    test("is written to the log with who did it, and without the value", async () => {
      const store = await makeStore("logged", "canary-of-the-log");
      await revoke(store);
      const line = installation()
        .recorded()
        .split("\n")
        .find((text) => text.includes("a secret was revoked") && text.includes(store));
      assert.ok(line !== undefined);
      assert.match(line, /"apiKeyId":"[0-9a-f-]{36}".*"secretName":"K"/);
      assert.ok(!installation().recorded().includes("canary-of-the-log"));
    });

    describe("when the proxy", () => {
      test("does not take the session, is 503, stored, and enforced by itself", async () => {
        const { egressProxy } = installation();
        const store = await makeStore("pending");
        const id = await create({ secretStore: "pending" });
        const token = tokenOf(id);
        egressProxy.before = async (step) => {
          if (step === "put") throw new WireError("internal_error", "out of order");
        };
        const response = await revoke(store);
        assert.deepEqual([response.status, response.json.code], [503, "enforcement_pending"]);
        assert.equal(response.headers.get("retry-after"), "1");
        assert.match(response.json.error, /K is revoked.*1 of 1 running sandboxes.*call again/);
        assert.notEqual(await pendingOf(id), null);
        assert.equal((await revoke(store)).status, 503, "it still does not hold");
        await installation().restart();
        egressProxy.before = async () => undefined;
        await eventually(
          async () => (await pendingOf(id)) === null,
          "the proxy has acknowledged it",
        );
        assertRevoked(id, token);
        assert.equal((await revoke(store)).status, 200);
      });

      test("does not run, holds at once: it uses nothing, and is filled without the value", async () => {
        const { egressProxy } = installation();
        const store = await makeStore("absent");
        const id = await create({ secretStore: "absent" });
        const token = tokenOf(id);
        await egressProxy.stop();
        assert.equal((await revoke(store)).status, 200);
        await egressProxy.start();
        await egressProxy.restart();
        await eventually(
          () => egressProxy.sessions.get(id)?.revokedSecrets.length === 1,
          "the new proxy has the session",
        );
        assertRevoked(id, token);
      });
    });

    test("that the proxy did not take is still handed over to it when the secret is set again", async () => {
      const { egressProxy } = installation();
      const store = await makeStore("stalled");
      const id = await create({ secretStore: "stalled" });
      const seen = () =>
        [session(id)].map(({ secrets, enforcesRevocation }) => [
          secrets.map(({ value }) => value),
          enforcesRevocation,
        ])[0];
      assert.deepEqual(seen(), [["v1"], false]);
      egressProxy.before = async (step) => {
        if (step === "put") throw new WireError("internal_error", "out of order");
      };
      try {
        assert.equal((await revoke(store)).json.code, "enforcement_pending");
        assert.equal((await set(store, "v2")).status, 500);
      } finally {
        egressProxy.before = async () => undefined;
      }
      await eventually(async () => (await pendingOf(id)) === null, "the proxy has acknowledged it");
      assert.deepEqual(seen(), [["v2"], true]);
      await set(store, "v3");
      assert.deepEqual(seen(), [["v3"], false]);
    });

    describe("when a copy of the sandbox cannot be decrypted", () => {
      const damage = async (id: string, name: string) => {
        const { sandboxId } = sandboxSecrets;
        await installation()
          .database.update(sandboxSecrets)
          .set({ encrypted: Buffer.alloc(64).toString("base64") })
          .where(and(eq(sandboxId, id), eq(sandboxSecrets.name, name)));
      };
      const makeTwo = async (name: string) => {
        const store = await makeStore(name);
        await set(store, "other", "OTHER");
        return { store, id: await create({ secretStore: name }) };
      };

      for (const [what, damaged] of [
        ["another one in use", "OTHER"],
        ["the revoked one", "K"],
      ] as const) {
        test(`${what}, holds: its session is taken away until the secret is set again`, async () => {
          const { store, id } = await makeTwo(`damaged-${damaged}`);
          assert.equal(session(id).secrets.length, 2);
          await damage(id, damaged);
          assert.equal((await revoke(store)).status, 200);
          assert.equal(installation().egressProxy.sessions.has(id), false);
          assert.equal(await pendingOf(id), null);
          assert.match(installation().recorded(), new RegExp(`${id} has no network: a revocation`));
          await set(store, "new", damaged);
          const inUse = session(id).secrets.map(({ value }) => value);
          assert.deepEqual(inUse.sort(), damaged === "K" ? ["new", "other"] : ["new"]);
        });
      }

      test("and the proxy keeps the session, is 503 and enforced by itself", async () => {
        const { egressProxy } = installation();
        const { store, id } = await makeTwo("damaged-kept");
        await damage(id, "OTHER");
        egressProxy.before = async () => {
          throw new WireError("internal_error", "out of order");
        };
        try {
          assert.equal((await revoke(store)).json.code, "enforcement_pending");
          assert.notEqual(await pendingOf(id), null);
        } finally {
          egressProxy.before = async () => undefined;
        }
        await eventually(async () => (await pendingOf(id)) === null, "it is enforced");
        assert.equal(egressProxy.sessions.has(id), false);
      });

      test("without a revocation, the session stays as it was", async () => {
        const { store, id } = await makeTwo("damaged-alone");
        await damage(id, "OTHER");
        const before = session(id);
        assert.equal((await set(store, "v2")).status, 500);
        assert.deepEqual(session(id), before);
      });
    });

    describe("of a sandbox that is being killed", () => {
      /** Leaves a sandbox as a crash in the middle of a kill does: marked, with its session. */
      const leaveKilling = async (id: string) => {
        const { database } = installation();
        await database.update(sandboxes).set({ state: "killing" }).where(eq(sandboxes.id, id));
      };

      test("holds while the worker does not delete the machine: its session goes first", async () => {
        const { worker, egressProxy } = installation();
        const store = await makeStore("hanging");
        const id = await create({ secretStore: "hanging" });
        let isHanging = false;
        let letGo = (): void => undefined;
        const hanging = new Promise<void>((resolve) => {
          letGo = resolve;
        });
        worker.before = async (step) => {
          if (step !== "delete") return;
          isHanging = true;
          await hanging;
        };
        const killed = call("DELETE", `/api/sandboxes/${id}`);
        try {
          await eventually(() => isHanging, "the worker deletes the machine");
          await eventually(() => !egressProxy.sessions.has(id), "the session was removed");
          assert.equal((await revoke(store)).status, 200);
          assert.equal(egressProxy.sessions.has(id), false);
        } finally {
          worker.before = async () => undefined;
          letGo();
        }
        assert.equal((await killed).status, 204);
      });

      test("takes away the session that a crash has left", async () => {
        const { egressProxy, worker } = installation();
        const store = await makeStore("left");
        const id = await create({ secretStore: "left" });
        worker.before = async (step) => {
          if (step === "delete") throw new WireError("internal_error", "out of order");
        };
        try {
          await leaveKilling(id);
          assert.equal(session(id).secrets.length, 1);
          assert.equal((await revoke(store)).status, 200);
          assert.equal(egressProxy.sessions.has(id), false);
        } finally {
          worker.before = async () => undefined;
        }
      });

      test("is 503 while the proxy keeps the session, and enforced by itself", async () => {
        const { egressProxy, worker } = installation();
        const store = await makeStore("kept");
        const id = await create({ secretStore: "kept" });
        worker.before = async (step) => {
          if (step === "delete") throw new WireError("internal_error", "out of order");
        };
        egressProxy.before = async (step) => {
          if (step === "delete") throw new WireError("internal_error", "out of order");
        };
        try {
          await leaveKilling(id);
          const response = await revoke(store);
          assert.deepEqual([response.status, response.json.code], [503, "enforcement_pending"]);
          egressProxy.before = async () => undefined;
          await eventually(async () => (await pendingOf(id)) === null, "it is enforced");
          assert.equal(egressProxy.sessions.has(id), false);
        } finally {
          worker.before = async () => undefined;
          egressProxy.before = async () => undefined;
        }
      });
    });

    test("a create and a checkpoint at the same time never end with a value in use", async () => {
      const store = await makeStore("raced");
      const parent = await create({ secretStore: "raced" });
      const [first, revoked, second] = await Promise.all([
        create({ secretStore: "raced" }),
        revoke(store),
        create({ secretStore: "raced" }),
        call("POST", `/api/sandboxes/${parent}/checkpoints`, { body: { name: "raced" } }),
      ]);
      assert.equal(revoked.status, 200);
      for (const id of [parent, first, second]) assert.deepEqual(session(id).secrets, []);
      const copies = await installation()
        .database.select()
        .from(checkpointSecrets)
        .where(eq(checkpointSecrets.sourceStoreId, store));
      assert.ok(copies.length > 0 && copies.every(({ revokedAt }) => revokedAt !== null));
    });
  });
}
