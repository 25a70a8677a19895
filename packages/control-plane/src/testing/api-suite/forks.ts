import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  createdPatchSchema,
  createdSandboxSchema,
  limits,
  patchRecordSchema,
  WireError,
} from "@opencomputer/protocol/api";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

const absentId = "00000000-0000-4000-8000-000000000000";

export function describeForks(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("forks", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (body: unknown = {}) =>
      (await call("POST", "/api/sandboxes", { body })).json.sandboxID as string;
    const makeReady = async (id: string, name = "c"): Promise<string> => {
      const path = `/api/sandboxes/${id}/checkpoints`;
      const cid: string = (await call("POST", path, { body: { name } })).json.id;
      await eventually(async () => {
        const rows = (await call("GET", path)).json;
        return rows.find((row: { id: string }) => row.id === cid).status === "ready";
      }, "the checkpoint is ready");
      return cid;
    };
    const fork = (cid: string, body: unknown = {}) =>
      call("POST", `/api/sandboxes/from-checkpoint/${cid}`, { body });
    const forkId = async (cid: string, body: unknown = {}) =>
      (await fork(cid, body)).json.sandboxID as string;
    const store = async (
      name: string,
      egressAllowlist: string[],
      secrets: Record<string, unknown>,
    ) => {
      const { id } = (await call("POST", "/api/secret-stores", { body: { name, egressAllowlist } }))
        .json;
      for (const [secret, body] of Object.entries(secrets)) {
        await call("PUT", `/api/secret-stores/${id}/secrets/${secret}`, { body });
      }
      return id as string;
    };
    const envsOf = (id: string) => installation().worker.machines.get(id)?.request.envs ?? {};
    const sessionOf = (id: string) => {
      const session = installation().egressProxy.sessions.get(id);
      assert.ok(session !== undefined);
      return session;
    };
    const secretOf = (id: string, name: string) =>
      sessionOf(id).secrets.find((secret) => secret.name === name);
    const allowedHosts = async (id: string) =>
      (await call("GET", `/api/sandboxes/${id}/allowed-hosts`)).json;

    test("a fork takes over the parent's files, sizes, time-out, metadata and envs", async () => {
      const parent = await create({
        timeout: 777,
        memoryMB: 512,
        metadata: { team: "a" },
        envs: { A: "1", B: "1" },
      });
      await call("PUT", `/api/sandboxes/${parent}/files?path=/f`, { rawBody: "content" });
      const cid = await makeReady(parent);
      const response = await fork(cid, { envs: { B: "2" } });
      assert.equal(response.status, 201);
      const sandbox = createdSandboxSchema.strict().parse(response.json);
      assert.equal(sandbox.fromCheckpointId, cid);
      assert.notEqual(sandbox.sandboxID, parent);
      assert.deepEqual([sandbox.memoryMB, sandbox.metadata], [512, { team: "a" }]);
      const idleMilliseconds = Date.parse(sandbox.endAt ?? "") - Date.parse(sandbox.startedAt);
      assert.equal(idleMilliseconds, 777_000);
      assert.deepEqual(envsOf(sandbox.sandboxID), { A: "1", B: "2" });
      const file = await call("GET", `/api/sandboxes/${sandbox.sandboxID}/files?path=/f`);
      assert.equal(file.text, "content");
      assert.equal((await call("POST", "/api/sandboxes")).json.fromCheckpointId, undefined);
    });

    test("timeout, metadata and memoryMB of the request win; 0 MB is no choice", async () => {
      const cid = await makeReady(await create({ timeout: 777, metadata: { a: "b" } }));
      const { json } = await fork(cid, { timeout: 0, metadata: {}, memoryMB: 2048 });
      assert.deepEqual([json.endAt, json.metadata, json.memoryMB], [null, {}, 2048]);
      assert.equal((await fork(cid, { memoryMB: 0 })).json.memoryMB, 1024);
      const over = await fork(cid, { memoryMB: 8193 });
      assert.deepEqual([over.status, over.json.code], [400, "invalid_request"]);
    });

    test("a fork outlives its parent and its checkpoint; both can go before it is made and after", async () => {
      const parent = await create();
      const cid = await makeReady(parent);
      await call("DELETE", `/api/sandboxes/${parent}`);
      const id = await forkId(cid);
      assert.equal(
        (await call("DELETE", `/api/sandboxes/${parent}/checkpoints/${cid}`)).status,
        204,
      );
      assert.equal((await call("GET", `/api/sandboxes/${id}`)).json.status, "running");
      const late = await fork(cid);
      assert.deepEqual([late.status, late.json.code], [404, "checkpoint_not_found"]);
    });

    test("ten forks at once share the parent's tokens, each at an address of its own", async () => {
      await store("ten", [], { K: { value: "v" } });
      const parent = await create({ secretStore: "ten" });
      const cid = await makeReady(parent);
      const responses = await Promise.all(Array.from({ length: 10 }, () => fork(cid)));
      assert.deepEqual([...new Set(responses.map(({ status }) => status))], [201]);
      const ids = responses.map(({ json }) => json.sandboxID);
      assert.equal(new Set(ids.map((id) => sessionOf(id).sourceAddress)).size, 10);
      for (const id of ids) assert.deepEqual(sessionOf(id).secrets, sessionOf(parent).secrets);
    });

    test("layering: values and hosts of the fork's store under the parent's tokens, lists joined", async () => {
      await store("parent", ["a.example.com"], {
        SHARED: { value: "parent-shared", allowedHosts: ["a.example.com"] },
        PARENT: { value: "parent-only" },
      });
      await store("fork", ["b.example.com"], {
        SHARED: { value: "fork-shared", allowedHosts: ["b.example.com"] },
        FORK: { value: "fork-only" },
      });
      const parent = await create({ secretStore: "parent" });
      const before = structuredClone(sessionOf(parent));
      const id = await forkId(await makeReady(parent), { secretStore: "fork" });
      assert.equal(envsOf(id)["SHARED"], envsOf(parent)["SHARED"]);
      assert.equal(envsOf(id)["PARENT"], envsOf(parent)["PARENT"]);
      assert.deepEqual(secretOf(id, "SHARED"), {
        name: "SHARED",
        token: envsOf(parent)["SHARED"],
        value: "fork-shared",
        allowedHosts: ["b.example.com"],
        substituteIn: ["header", "body"],
      });
      assert.equal(secretOf(id, "PARENT")?.value, "parent-only");
      assert.equal(secretOf(id, "FORK")?.value, "fork-only");
      assert.equal(secretOf(id, "FORK")?.token, envsOf(id)["FORK"]);
      assert.deepEqual(sessionOf(parent), before, "the parent is not touched");
      assert.deepEqual(await allowedHosts(id), {
        sandboxID: id,
        secretStore: "fork",
        baseSecretStore: "parent",
        egressAllowlist: ["a.example.com", "b.example.com"],
        perSecretAllowedHosts: { SHARED: ["b.example.com"] },
        secretsForAllHosts: ["FORK", "PARENT"],
      });
    });

    test("without a store of its own a fork keeps the parent's, and shows it so", async () => {
      const parent = await create({ secretStore: "parent" });
      const id = await forkId(await makeReady(parent));
      const { sandboxID: _own, ...hosts } = await allowedHosts(id);
      const { sandboxID: _parents, ...parents } = await allowedHosts(parent);
      assert.deepEqual(hosts, parents);
      assert.deepEqual([hosts.secretStore, hosts.baseSecretStore], ["parent", undefined]);
    });

    test("a fork of a fork starts from the merged result, at any depth", async () => {
      await store("third", ["c.example.com"], { FORK: { value: "third-fork" } });
      const parent = await create({ secretStore: "parent" });
      const second = await forkId(await makeReady(parent), { secretStore: "fork" });
      const third = await forkId(await makeReady(second), { secretStore: "third" });
      const values = Object.fromEntries(
        sessionOf(third).secrets.map(({ name, value }) => [name, value]),
      );
      assert.deepEqual(values, {
        SHARED: "fork-shared",
        PARENT: "parent-only",
        FORK: "third-fork",
      });
      assert.deepEqual(envsOf(third), envsOf(second), "every token is the parent's");
      const hosts = await allowedHosts(third);
      assert.deepEqual([hosts.secretStore, hosts.baseSecretStore], ["third", "fork"]);
      assert.deepEqual(hosts.egressAllowlist, ["a.example.com", "b.example.com", "c.example.com"]);
      const fourth = await forkId(await makeReady(third));
      assert.deepEqual(sessionOf(fourth).secrets, sessionOf(third).secrets);
      assert.equal((await allowedHosts(fourth)).baseSecretStore, "fork");
    });

    test("the mode follows from the merged policy", async () => {
      await store("no list", [], { K: { value: "v" } });
      const plain = await makeReady(await create());
      assert.equal(sessionOf(await forkId(plain)).mode, "open");
      const intercepted = await forkId(plain, { secretStore: "no list" });
      assert.equal(sessionOf(intercepted).mode, "intercepted");
      const allowlisted = await forkId(plain, { secretStore: "fork" });
      assert.deepEqual(
        [sessionOf(allowlisted).mode, sessionOf(allowlisted).egressAllowlist],
        ["allowlisted", ["b.example.com"]],
      );
      const still = await forkId(await makeReady(allowlisted), { secretStore: "no list" });
      assert.equal(sessionOf(still).mode, "allowlisted");
    });

    test("envs: inherited ones lose to the fork's store, its own win over all", async () => {
      const parent = await create({ envs: { SHARED: "plain", FORK: "plain", KEPT: "plain" } });
      const cid = await makeReady(parent);
      const id = await forkId(cid, { secretStore: "fork", envs: { FORK: "mine" } });
      assert.deepEqual(
        [envsOf(id)["SHARED"], envsOf(id)["FORK"], envsOf(id)["KEPT"]],
        [secretOf(id, "SHARED")?.token, "mine", "plain"],
      );
      assert.equal(secretOf(id, "FORK"), undefined, "nothing is kept of what is hidden");
    });

    test("rotation reaches forks and checkpoints: the winning store's value, under the old token", async () => {
      const base = await store("rotating base", [], { K: { value: "base 1" } });
      const top = await store("rotating top", [], { K: { value: "top 1" } });
      const parent = await create({ secretStore: "rotating base" });
      const cid = await makeReady(parent);
      const early = await forkId(cid);
      const layered = await forkId(cid, { secretStore: "rotating top" });
      const token = secretOf(parent, "K")?.token;
      const rotate = (id: string, value: string) =>
        call("PUT", `/api/secret-stores/${id}/secrets/K`, { body: { value } });
      await rotate(base, "base 2");
      await rotate(top, "top 2");
      const late = await forkId(cid);
      for (const [id, value] of [
        [parent, "base 2"],
        [early, "base 2"],
        [layered, "top 2"],
        [late, "base 2"],
      ] as const) {
        assert.deepEqual([secretOf(id, "K")?.value, secretOf(id, "K")?.token], [value, token]);
      }
    });

    test("a store that is deleted leaves checkpoint and forks what they have", async () => {
      const id = await store("deleted", ["d.example.com"], { K: { value: "v" } });
      const cid = await makeReady(await create({ secretStore: "deleted" }));
      await call("DELETE", `/api/secret-stores/${id}`);
      const late = await forkId(cid);
      assert.equal(secretOf(late, "K")?.value, "v");
      const again = await fork(cid, { secretStore: "deleted" });
      assert.deepEqual([again.status, again.json.code], [400, "secret_store_not_found"]);
    });

    test("a project's store is the base of its sandboxes' forks", async () => {
      const project = (await call("POST", "/api/projects", { body: { name: "proj" } })).json.id;
      await call("PUT", `/api/projects/${project}/secrets/P`, { body: { value: "p" } });
      const cid = await makeReady(await create({ project: "proj" }));
      const id = await forkId(cid, { secretStore: "fork" });
      const detail = (await call("GET", `/api/sandboxes/${id}`)).json;
      assert.deepEqual(
        [detail.project, detail.secretStore, detail.baseSecretStore],
        ["proj", "fork", "proj"],
      );
      assert.equal(secretOf(id, "P")?.value, "p");
    });

    test("a fork waits for a checkpoint that is being made", async () => {
      const { worker } = installation();
      const parent = await create();
      let proceed = (): void => undefined;
      const released = new Promise<void>((resolve) => {
        proceed = resolve;
      });
      worker.before = async (step) => {
        if (step === "checkpoint") await released;
      };
      const path = `/api/sandboxes/${parent}/checkpoints`;
      const making = call("POST", path, { body: { name: "slow" } });
      await eventually(async () => (await call("GET", path)).json.length === 1, "it is being made");
      const [{ id: cid }] = (await call("GET", path)).json;
      const waiting = fork(cid);
      await new Promise((resolve) => setTimeout(resolve, 150));
      proceed();
      worker.before = async () => undefined;
      assert.equal((await waiting).status, 201);
      assert.equal((await making).status, 201);
    });

    test("a failed checkpoint is 409; an unknown or malformed one is 404", async () => {
      const { worker } = installation();
      const parent = await create();
      worker.before = async (step) => {
        if (step === "checkpoint") throw new WireError("guest_failed", "the guest is stuck");
      };
      const path = `/api/sandboxes/${parent}/checkpoints`;
      const cid = (await call("POST", path, { body: { name: "failing" } })).json.id;
      const failed = await fork(cid);
      worker.before = async () => undefined;
      assert.deepEqual([failed.status, failed.json.code], [409, "checkpoint_failed"]);
      assert.match(failed.json.error, /the guest is stuck/);
      const restored = await call("POST", `${path}/${cid}/restore`);
      assert.deepEqual([restored.status, restored.json.code], [409, "checkpoint_failed"]);
      for (const id of [absentId, "x"]) {
        const response = await fork(id);
        assert.deepEqual([response.status, response.json.code], [404, "checkpoint_not_found"]);
      }
    });

    test("a fork that fails leaves nothing", async () => {
      const { worker, egressProxy } = installation();
      const cid = await makeReady(await create());
      const [machines, sessions] = [worker.machines.size, egressProxy.sessions.size];
      worker.before = async (step) => {
        if (step === "start") throw new WireError("guest_failed", "it does not boot");
      };
      assert.equal((await fork(cid)).status, 502);
      worker.before = async () => undefined;
      assert.deepEqual([worker.machines.size, egressProxy.sessions.size], [machines, sessions]);
    });

    test("patches: made, listed in order, deleted, refused", async () => {
      const cid = await makeReady(await create());
      const path = `/api/sandboxes/checkpoints/${cid}/patches`;
      const add = (body: unknown) => call("POST", path, { body });
      assert.deepEqual((await call("GET", path)).json, []);
      const first = await add({ script: "echo 1", description: "first" });
      assert.equal(first.status, 201);
      const { patch } = createdPatchSchema.strict().parse(first.json);
      assert.deepEqual(
        [patch.checkpointId, patch.sequence, patch.script, patch.description, patch.strategy],
        [cid, 1, "echo 1", "first", "on_wake"],
      );
      await Promise.all([add({ script: "echo 2" }), add({ script: "echo 3" })]);
      const rows = (await call("GET", path)).json;
      for (const row of rows) patchRecordSchema.strict().parse(row);
      assert.deepEqual(
        rows.map(({ sequence }: { sequence: number }) => sequence),
        [1, 2, 3],
      );
      assert.equal((await call("DELETE", `${path}/${patch.id}`)).status, 204);
      for (const id of [patch.id, absentId, "x"]) {
        const response = await call("DELETE", `${path}/${id}`);
        assert.deepEqual([response.status, response.json.code], [404, "patch_not_found"]);
      }
      assert.equal((await add({ script: "echo 4" })).json.patch.sequence, 4);
      for (const body of [
        {},
        { script: " " },
        { script: "a\0" },
        { script: "a", description: "\0" },
      ]) {
        assert.equal((await add(body)).status, 400);
      }
    });

    test(`${limits.patchesPerCheckpointMax} patches are taken, one more is refused`, async () => {
      const cid = await makeReady(await create());
      const path = `/api/sandboxes/checkpoints/${cid}/patches`;
      for (let count = 0; count < limits.patchesPerCheckpointMax; count++) {
        const made = await call("POST", path, { body: { script: "true" } });
        assert.equal(made.status, 201);
      }
      const over = await call("POST", path, { body: { script: "true" } });
      assert.deepEqual([over.status, over.json.code], [400, "limit_exceeded"]);
    });

    test("every fork runs the patches in order with bash; the first failure stops and shows", async () => {
      const { worker } = installation();
      const cid = await makeReady(await create());
      const path = `/api/sandboxes/checkpoints/${cid}/patches`;
      const scripts = ["one", "two", "three"];
      for (const script of scripts) {
        await call("POST", path, { body: { script, description: `patch ${script}` } });
      }
      const before = worker.run;
      const ran: unknown[] = [];
      worker.run = (_machine, { cmd, args }) => {
        ran.push([cmd, args]);
        const isBad = ran.length === 2;
        return { exitCode: isBad ? 3 : 0, stdout: "", stderr: isBad ? "no\0 such thing" : "" };
      };
      const failed = (await fork(cid)).json;
      const asBash = (script: string) => ["/bin/bash", ["-c", script]];
      assert.deepEqual(ran, scripts.slice(0, 2).map(asBash));
      const expected = "Patch 2 (patch two) ended with exit code 3: no\uFFFD such thing";
      assert.equal(failed.patchError, expected);
      const detail = (await call("GET", `/api/sandboxes/${failed.sandboxID}`)).json;
      assert.deepEqual([detail.status, detail.patchError], ["running", expected]);
      ran.length = 10;
      const good = await fork(cid);
      assert.equal(good.json.patchError, undefined);
      assert.deepEqual(ran.slice(10), scripts.map(asBash));
      worker.run = before;
    });

    test("a fork names the sessions that are started again in it; others are started as they were", async () => {
      const { worker } = installation();
      const cid = await makeReady(await create());
      const restartSessions = ["exec-1", "exec-2"];
      assert.equal((await fork(cid, { restartSessions })).status, 201);
      assert.deepEqual(worker.restarted, restartSessions);
      assert.equal((await fork(cid)).status, 201);
      assert.deepEqual(worker.restarted, []);
      for (const bad of [["no/session"], Array(limits.restartedSessionsMax + 1).fill("exec-1")]) {
        const refused = await fork(cid, { restartSessions: bad });
        assert.deepEqual([refused.status, refused.json.code], [400, "invalid_request"]);
      }
      worker.before = async (step) => {
        if (step === "start") throw new WireError("session_not_found", "no session exec-3");
      };
      const unknown = await fork(cid, { restartSessions: ["exec-3"] });
      assert.deepEqual([unknown.status, unknown.json.code], [404, "session_not_found"]);
      worker.before = async () => undefined;
    });

    test("a hook that fails in a fork shows, until the sandbox is started again without a failure", async () => {
      const { worker } = installation();
      const cid = await makeReady(await create());
      worker.hookError = "Hook 10-keys ended with exit code 1: no key";
      const forked = (await fork(cid)).json;
      assert.equal(forked.hookError, worker.hookError);
      const path = `/api/sandboxes/${forked.sandboxID}`;
      assert.equal((await call("GET", path)).json.hookError, worker.hookError);
      worker.hookError = undefined;
      assert.equal((await fork(cid)).json.hookError, undefined);
      await call("POST", `${path}/hibernate`);
      await call("POST", `${path}/wake`);
      assert.equal((await call("GET", path)).json.hookError, undefined);
    });

    describe("patches at a wake", () => {
      /** Runs what is asked for, but for the scripts of patches, which are noted. */
      const watchPatches = (isBad: (script: string) => boolean = () => false) => {
        const { worker } = installation();
        const before = worker.run;
        const ran: string[] = [];
        worker.run = (machine, command) => {
          if (command.cmd !== "/bin/bash") {
            ran.push("command");
            return before(machine, command);
          }
          const script = command.args?.[1] ?? "";
          ran.push(script);
          return { exitCode: isBad(script) ? 1 : 0, stdout: "", stderr: "" };
        };
        const stop = () => {
          worker.run = before;
        };
        return { ran, stop };
      };
      const add = (cid: string, script: string) =>
        call("POST", `/api/sandboxes/checkpoints/${cid}/patches`, { body: { script } });
      const hibernate = (id: string) => call("POST", `/api/sandboxes/${id}/hibernate`);
      const use = (id: string) =>
        call("POST", `/api/sandboxes/${id}/exec/run`, { body: { cmd: "x" } });
      const errorOf = async (id: string) =>
        (await call("GET", `/api/sandboxes/${id}`)).json.patchError;

      test("those that came later run once, before what the fork was woken for", async () => {
        const cid = await makeReady(await create());
        await add(cid, "first");
        const { ran, stop } = watchPatches();
        const id = await forkId(cid);
        await add(cid, "second");
        await use(id);
        await hibernate(id);
        await use(id);
        await hibernate(id);
        await use(id);
        stop();
        assert.deepEqual(ran, ["first", "command", "second", "command", "command"]);
      });

      test("one that fails is tried again at the next wake, until it is deleted", async () => {
        const cid = await makeReady(await create());
        const id = await forkId(cid);
        const bad = (await add(cid, "bad")).json.patch.id;
        await add(cid, "good");
        const { ran, stop } = watchPatches((script) => script === "bad");
        for (let wake = 0; wake < 2; wake += 1) {
          await hibernate(id);
          assert.equal((await use(id)).status, 200);
          assert.match(await errorOf(id), /^Patch 1 ended with exit code 1/);
        }
        await call("DELETE", `/api/sandboxes/checkpoints/${cid}/patches/${bad}`);
        await hibernate(id);
        await use(id);
        stop();
        assert.deepEqual(ran, ["bad", "command", "bad", "command", "good", "command"]);
        assert.equal(await errorOf(id), undefined);
      });

      test("a restore takes back what the patches since its checkpoint did, and they run again", async () => {
        const cid = await makeReady(await create());
        const id = await forkId(cid);
        const own = await makeReady(id, "own");
        await add(cid, "later");
        const { ran, stop } = watchPatches();
        await hibernate(id);
        await use(id);
        await call("POST", `/api/sandboxes/${id}/checkpoints/${own}/restore`);
        await hibernate(id);
        await use(id);
        stop();
        assert.deepEqual(ran, ["later", "command", "later", "command"]);
      });
    });

    test("forks of forks run the patches of their own checkpoint only", async () => {
      const { worker } = installation();
      const cid = await makeReady(await create());
      await call("POST", `/api/sandboxes/checkpoints/${cid}/patches`, { body: { script: "x" } });
      const child = await forkId(cid);
      const childCid = await makeReady(child);
      const before = worker.run;
      let runs = 0;
      worker.run = () => {
        runs += 1;
        return { exitCode: 0, stdout: "", stderr: "" };
      };
      await fork(childCid);
      worker.run = before;
      assert.equal(runs, 0);
    });
  });
}
