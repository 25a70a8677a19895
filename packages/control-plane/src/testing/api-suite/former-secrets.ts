import assert from "node:assert/strict";
import { test } from "node:test";
import { limits, WireError } from "@opencomputer/protocol/api";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { eq } from "../../database/query-builder.ts";
import { checkpointFormerSecrets, sandboxes, sandboxFormerSecrets } from "../../database/schema.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeFormerSecrets(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("former secrets", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const makeStore = async (name: string, secret: unknown = { value: "v1" }) => {
      const { id } = (await call("POST", "/api/secret-stores", { body: { name } })).json;
      await set(id, secret);
      return id as string;
    };
    const set = (id: string, body: unknown, name = "K") =>
      call("PUT", `/api/secret-stores/${id}/secrets/${name}`, { body });
    const create = async (secretStore: string) =>
      (await call("POST", "/api/sandboxes", { body: { secretStore } })).json.sandboxID as string;
    const checkpointOf = async (id: string, name = "c") => {
      const path = `/api/sandboxes/${id}/checkpoints`;
      const cid: string = (await call("POST", path, { body: { name } })).json.id;
      await eventually(
        async () =>
          (await call("GET", path)).json.find((row: { id: string }) => row.id === cid).status ===
          "ready",
        "the checkpoint is ready",
      );
      return cid;
    };
    const fork = async (cid: string, body: unknown = {}) =>
      (await call("POST", `/api/sandboxes/from-checkpoint/${cid}`, { body })).json
        .sandboxID as string;
    const session = (id: string) => {
      const found = installation().egressProxy.sessions.get(id);
      assert.ok(found !== undefined);
      return found;
    };
    const formers = (id: string) => session(id).formerSecrets.map(({ value }) => value);
    const rowsOf = (id: string) =>
      installation()
        .database.select()
        .from(sandboxFormerSecrets)
        .where(eq(sandboxFormerSecrets.ownerId, id));

    test("a rotated value is handed over as a former one, with the hosts and placements that it had", async () => {
      const store = await makeStore("rotated", {
        value: "v1",
        allowedHosts: ["a.example.com"],
        substituteIn: ["query"],
      });
      const id = await create("rotated");
      const [secret] = structuredClone(session(id).secrets);
      assert.deepEqual(session(id).formerSecrets, []);
      await set(store, { value: "v2", allowedHosts: ["b.example.com"], substituteIn: ["header"] });
      assert.deepEqual(session(id).formerSecrets, [secret]);
      assert.equal(session(id).secrets[0]?.token, secret?.token);
      await set(store, { value: "v3" });
      assert.deepEqual(formers(id), ["v2", "v1"], "the newest first");
      const other = await create("rotated");
      assert.deepEqual(session(other).formerSecrets, [], "a new sandbox never had them");
    });

    test("changed hosts alone make a former one, changed placements too; nothing changed makes none", async () => {
      const store = await makeStore("narrowed", { value: "v", allowedHosts: ["a.example.com"] });
      const id = await create("narrowed");
      const hostsOfFormers = () =>
        session(id).formerSecrets.map(({ allowedHosts }) => allowedHosts);
      await set(store, { value: "v" });
      await set(store, { value: "v", allowedHosts: ["a.example.com"] });
      assert.deepEqual(hostsOfFormers(), []);
      await set(store, { value: "v", allowedHosts: ["b.example.com"] });
      assert.deepEqual(hostsOfFormers(), [["a.example.com"]]);
      await set(store, { value: "v", substituteIn: ["header"] });
      assert.deepEqual(hostsOfFormers(), [["b.example.com"], ["a.example.com"]]);
      assert.deepEqual(session(id).formerSecrets[0]?.substituteIn, ["header", "body"]);
      assert.deepEqual(session(id).secrets[0]?.substituteIn, ["header"]);
    });

    test("what comes and goes is kept once; the oldest over the bound is dropped", async () => {
      const store = await makeStore("bounded", { value: "first" });
      const id = await create("bounded");
      for (const value of ["second", "first", "second", "first"]) await set(store, { value });
      assert.deepEqual(formers(id), ["second", "first"]);
      for (let index = 0; index < serviceLimits.formerValuesPerSecretMax; index += 1) {
        await set(store, { value: `v${index}` });
      }
      const kept = formers(id);
      assert.equal(kept.length, serviceLimits.formerValuesPerSecretMax);
      assert.ok(kept.includes("first") && !kept.includes("second"));
      assert.equal((await rowsOf(id)).length, kept.length);
    });

    test("a rotation reaches more copies than are in memory at once", async () => {
      const store = await makeStore("many");
      const ids = await Promise.all(Array.from({ length: 60 }, () => create("many")));
      await set(store, { value: "v2" });
      for (const id of ids) {
        assert.deepEqual([session(id).secrets[0]?.value, formers(id)], ["v2", ["v1"]]);
      }
    });

    test("large ones are kept up to a total; the oldest of any name are dropped", async () => {
      const store = await makeStore("large", { value: "small" });
      await set(store, { value: "other" }, "OTHER");
      const id = await create("large");
      const large = (index: number) => `${index} `.padEnd(limits.secretValueBytesMax, "x");
      await set(store, { value: "other 2" }, "OTHER");
      await installation()
        .database.update(sandboxFormerSecrets)
        .set({
          encrypted: "x".repeat(serviceLimits.formerValuesBytesTotalMax),
          retiredAt: new Date(Date.now() - 3_600_000),
        })
        .where(eq(sandboxFormerSecrets.ownerId, id));
      await set(store, { value: large(1) });
      await set(store, { value: large(2) });
      assert.deepEqual(
        session(id).formerSecrets.map(({ name, value }) => [name, value.slice(0, 5)]),
        [
          ["K", large(1).slice(0, 5)],
          ["K", "small"],
        ],
      );
      assert.equal((await rowsOf(id)).length, 2);
    });

    test("an expired one is not handed over, not inherited and soon not kept", async () => {
      const { database } = installation();
      const store = await makeStore("expiring", { value: "v1" });
      const id = await create("expiring");
      await set(store, { value: "v2" });
      const retiredAt = new Date(Date.now() - serviceLimits.formerValueSecondsMax * 1000);
      await database
        .update(sandboxFormerSecrets)
        .set({ retiredAt })
        .where(eq(sandboxFormerSecrets.ownerId, id));
      await set(store, { value: "v3" });
      assert.deepEqual(formers(id), ["v2"]);
      assert.deepEqual(formers(await fork(await checkpointOf(id))), ["v2"]);
      await installation().restart();
      await eventually(async () => (await rowsOf(id)).length === 1, "the expired row is deleted");
    });

    test("a hibernated sandbox has what was rotated meanwhile", async () => {
      const store = await makeStore("asleep", { value: "v1" });
      const id = await create("asleep");
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      await set(store, { value: "v2" });
      await call("POST", `/api/sandboxes/${id}/wake`, { body: {} });
      assert.deepEqual(formers(id), ["v1"]);
    });

    test("a checkpoint has those of its sandbox and what is rotated later; a fork has the checkpoint's", async () => {
      const store = await makeStore("saved", { value: "v1" });
      const parent = await create("saved");
      await set(store, { value: "v2" });
      const cid = await checkpointOf(parent);
      await call("DELETE", `/api/sandboxes/${parent}`);
      await set(store, { value: "v3" });
      const id = await fork(cid);
      assert.deepEqual(formers(id), ["v2", "v1"]);
      await set(store, { value: "v4" });
      assert.deepEqual(formers(id), ["v3", "v2", "v1"]);
      assert.deepEqual(formers(await fork(await checkpointOf(id))), ["v3", "v2", "v1"]);
    });

    test("a fork's own secret makes the parent's a former one, under the same token, at any depth", async () => {
      await makeStore("parent", { value: "parent", allowedHosts: ["a.example.com"] });
      await makeStore("fork", { value: "fork" });
      await makeStore("deep", { value: "deep" });
      const parent = await create("parent");
      const [inherited] = structuredClone(session(parent).secrets);
      const cid = await checkpointOf(parent);
      const id = await fork(cid, { secretStore: "fork" });
      assert.deepEqual(session(id).formerSecrets, [inherited]);
      assert.equal(session(id).secrets[0]?.token, inherited?.token);
      assert.deepEqual(session(parent).formerSecrets, [], "the parent can use it still");
      assert.deepEqual(formers(await fork(cid)), [], "and so can a fork without a store");
      const deep = await fork(await checkpointOf(id), { secretStore: "deep" });
      assert.deepEqual(formers(deep), ["fork", "parent"]);
    });

    test("the loser of two stores at a create was never usable and is no former one", async () => {
      const project = (await call("POST", "/api/projects", { body: { name: "base" } })).json.id;
      await call("PUT", `/api/projects/${project}/secrets/K`, { body: { value: "loser" } });
      await makeStore("winner", { value: "winner" });
      const body = { project: "base", secretStore: "winner" };
      const { sandboxID } = (await call("POST", "/api/sandboxes", { body })).json;
      assert.deepEqual(formers(sandboxID), []);
    });

    test("a restore keeps what the sandbox had since the checkpoint", async () => {
      const store = await makeStore("restored", { value: "v1" });
      const id = await create("restored");
      const cid = await checkpointOf(id);
      await set(store, { value: "v2" });
      await call("POST", `/api/sandboxes/${id}/checkpoints/${cid}/restore`);
      assert.deepEqual([session(id).secrets[0]?.value, formers(id)], ["v2", ["v1"]]);
    });

    test("a proxy that restarts, and a control plane that does, have them again", async () => {
      const { egressProxy } = installation();
      const store = await makeStore("restarted", { value: "v1" });
      const id = await create("restarted");
      await set(store, { value: "v2" });
      await installation().restart();
      await egressProxy.restart();
      await eventually(() => egressProxy.sessions.has(id), "the session is handed over again");
      assert.deepEqual(formers(id), ["v1"]);
    });

    test("a kill deletes them; deleting a checkpoint deletes its own", async () => {
      const { database } = installation();
      const store = await makeStore("killed", { value: "v1" });
      const id = await create("killed");
      await set(store, { value: "v2" });
      const cid = await checkpointOf(id);
      const ofCheckpoint = () =>
        database
          .select()
          .from(checkpointFormerSecrets)
          .where(eq(checkpointFormerSecrets.ownerId, cid));
      assert.deepEqual([(await rowsOf(id)).length, (await ofCheckpoint()).length], [1, 1]);
      await call("DELETE", `/api/sandboxes/${id}`);
      assert.deepEqual([(await rowsOf(id)).length, (await ofCheckpoint()).length], [0, 1]);
      await call("DELETE", `/api/sandboxes/${id}/checkpoints/${cid}`);
      assert.equal((await ofCheckpoint()).length, 0);
    });

    test("a row that is altered, or moved to another row, is refused and never handed over", async () => {
      const { database, egressProxy } = installation();
      const store = await makeStore("tampered", { value: "v1" });
      const id = await create("tampered");
      await set(store, { value: "v2" });
      await set(store, { value: "v3" });
      const [one, other] = await rowsOf(id);
      assert.ok(one !== undefined && other !== undefined);
      const before = structuredClone(session(id));
      const write = (encrypted: string) =>
        database
          .update(sandboxFormerSecrets)
          .set({ encrypted })
          .where(eq(sandboxFormerSecrets.id, one.id));
      for (const encrypted of [other.encrypted, `${one.encrypted.slice(0, -8)}AAAAAAA=`, ""]) {
        await write(encrypted);
        const response = await set(store, { value: "v3" });
        assert.deepEqual([response.status, response.json.code], [500, "internal_error"]);
        assert.match(response.json.error, /former value of secret K of sandbox sb-/);
        assert.deepEqual(session(id), before);
      }
      await write(one.encrypted);
      assert.equal((await set(store, { value: "v3" })).status, 200);
      assert.deepEqual(formers(id), ["v2", "v1"]);
      await database.delete(sandboxes).where(eq(sandboxes.id, id));
      egressProxy.sessions.delete(id);
    });
  });

  describeWithInstallation("versions of sessions", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);

    test("each hand-over of a sandbox has a higher one, also after a restart and a wake", async () => {
      const { egressProxy } = installation();
      const store = (await call("POST", "/api/secret-stores", { body: { name: "s" } })).json.id;
      const set = (value: string) =>
        call("PUT", `/api/secret-stores/${store}/secrets/K`, { body: { value } });
      await set("v1");
      const body = { secretStore: "s" };
      const id = (await call("POST", "/api/sandboxes", { body })).json.sandboxID;
      const versions = [egressProxy.sessions.get(id)?.version];
      const next = () => versions.push(egressProxy.sessions.get(id)?.version);
      await set("v2");
      next();
      await installation().restart();
      await set("v3");
      next();
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      await call("POST", `/api/sandboxes/${id}/wake`, { body: {} });
      next();
      await Promise.all(["v4", "v5", "v6", "v7"].map(set));
      next();
      assert.ok((versions[0] ?? 0) >= 1);
      assert.deepEqual(
        versions,
        versions.toSorted((a = 0, b = 0) => a - b),
      );
      assert.equal(new Set(versions).size, versions.length);
    });

    test("a hand-over that another one has overtaken is read again", async () => {
      const { egressProxy } = installation();
      const id = (await call("POST", "/api/sandboxes")).json.sandboxID;
      const version = (egressProxy.sessions.get(id)?.version ?? 0) + 3;
      egressProxy.versions.set(id, version);
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      const woken = await call("POST", `/api/sandboxes/${id}/wake`, { body: {} });
      assert.equal(woken.status, 200);
      assert.equal(egressProxy.sessions.get(id)?.version, version);
    });

    test("the end of a session has one between those of the hand-overs around it", async () => {
      const { egressProxy } = installation();
      const id = (await call("POST", "/api/sandboxes")).json.sandboxID;
      const created = egressProxy.sessions.get(id)?.version ?? Infinity;
      await call("POST", `/api/sandboxes/${id}/hibernate`);
      const lowestAdmitted = egressProxy.versions.get(id) ?? 0;
      assert.ok(lowestAdmitted > created + 1, "a repeated delivery of the ended one is refused");
      await call("POST", `/api/sandboxes/${id}/wake`, { body: {} });
      assert.ok((egressProxy.sessions.get(id)?.version ?? 0) >= lowestAdmitted);
      await call("DELETE", `/api/sandboxes/${id}`);
      assert.equal(egressProxy.sessions.has(id), false);
    });

    test("a proxy that always holds a newer session makes it fail, with what to do", async () => {
      const { egressProxy } = installation();
      const store = (await call("POST", "/api/secret-stores", { body: { name: "stale" } })).json.id;
      const set = () =>
        call("PUT", `/api/secret-stores/${store}/secrets/K`, { body: { value: "v" } });
      await set();
      await call("POST", "/api/sandboxes", { body: { secretStore: "stale" } });
      let attempts = 0;
      egressProxy.before = async (step) => {
        if (step !== "put") return;
        attempts += 1;
        throw new WireError("stale_session", "a newer session is held");
      };
      const response = await set();
      egressProxy.before = async () => undefined;
      assert.deepEqual([response.status, response.json.code], [500, "internal_error"]);
      assert.match(response.json.error, /newer session of sandbox sb-.*restart the egress proxy/);
      assert.ok(attempts > 1 && attempts < 10, `${attempts} attempts`);
      assert.equal((await set()).status, 200);
    });
  });
}
