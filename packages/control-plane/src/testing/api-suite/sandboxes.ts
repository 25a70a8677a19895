import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createdSandboxSchema,
  createSandboxRequestSchema,
  sandboxDetailSchema,
  sandboxIdPattern,
  sandboxSummarySchema,
} from "@opencomputer/protocol/api";
import { sealedToken } from "@opencomputer/protocol/wire";
import { mintSandboxId } from "../../sandboxes/identity/sandbox-identity.ts";
import { eventually } from "../test-installation.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeSandboxes(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("sandboxes", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (body?: unknown) =>
      (await call("POST", "/api/sandboxes", body === undefined ? {} : { body })).json;
    const store = async (name: string, egressAllowlist: string[], secrets: [string, unknown][]) => {
      const { id } = (await call("POST", "/api/secret-stores", { body: { name, egressAllowlist } }))
        .json;
      for (const [secret, body] of secrets) {
        await call("PUT", `/api/secret-stores/${id}/secrets/${secret}`, { body });
      }
      return id;
    };

    test("create responds 201 with exactly the fields of the contract and the defaults", async () => {
      const response = await call("POST", "/api/sandboxes", { body: { metadata: { team: "a" } } });
      assert.equal(response.status, 201);
      const sandbox = createdSandboxSchema.strict().parse(response.json);
      assert.match(sandbox.sandboxID, sandboxIdPattern);
      assert.deepEqual(
        [sandbox.templateID, sandbox.status, sandbox.cpuCount, sandbox.memoryMB],
        ["base", "running", 1, 1024],
      );
      assert.deepEqual(sandbox.metadata, { team: "a" });
      assert.equal(sandbox.sandboxDomain, "sandbox.localhost");
      assert.equal(Date.parse(sandbox.endAt ?? "") - Date.parse(sandbox.startedAt), 300_000);
    });

    test("not one instruction runs before its session is in place", async () => {
      const { worker, egressProxy } = installation();
      let sessionAtStart = false;
      worker.before = async (step, id) => {
        if (step === "start") sessionAtStart = egressProxy.sessions.has(id);
      };
      const { sandboxID } = await create();
      worker.before = async () => undefined;
      assert.ok(sessionAtStart);
      const session = egressProxy.sessions.get(sandboxID);
      const machine = worker.machines.get(sandboxID);
      assert.deepEqual(
        [session?.sourceAddress, session?.machineId],
        [machine?.sourceAddress, machine?.machineId],
      );
      assert.deepEqual([session?.mode, session?.secrets], ["open", []]);
    });

    test("a store: tokens to the worker, values and limits to the proxy", async () => {
      await store(
        "s1",
        ["api.example.com"],
        [
          ["LIMITED", { value: "sk-limited", allowedHosts: ["api.example.com"] }],
          ["GENERIC", { value: "sk-generic" }],
        ],
      );
      const { sandboxID } = await create({ secretStore: "s1", envs: { PLAIN: "p" } });
      const machine = installation().worker.machines.get(sandboxID)?.request;
      const session = installation().egressProxy.sessions.get(sandboxID);
      assert.equal(machine?.egressMode, "allowlisted");
      assert.equal(session?.mode, "allowlisted");
      assert.equal(machine?.envs["PLAIN"], "p");
      const bySecret = new Map(session?.secrets.map((secret) => [secret.name, secret]));
      for (const name of ["LIMITED", "GENERIC"]) {
        assert.match(machine?.envs[name] ?? "", sealedToken.pattern);
        assert.equal(bySecret.get(name)?.token, machine?.envs[name]);
      }
      assert.equal(bySecret.get("LIMITED")?.value, "sk-limited");
      assert.deepEqual(bySecret.get("LIMITED")?.allowedHosts, ["api.example.com"]);
      assert.deepEqual(bySecret.get("GENERIC")?.allowedHosts, []);
      assert.ok(!JSON.stringify(machine).includes("sk-"));
    });

    test("a store without allowlist is intercepted; two sandboxes share no token", async () => {
      await store("s2", [], [["K", { value: "sk-2" }]]);
      const [one, other] = [
        await create({ secretStore: "s2" }),
        await create({ secretStore: "s2" }),
      ];
      const { machines } = installation().worker;
      const requests = [one, other].map(({ sandboxID }) => machines.get(sandboxID)?.request);
      assert.equal(requests[0]?.egressMode, "intercepted");
      assert.notEqual(requests[0]?.envs["K"], requests[1]?.envs["K"]);
    });

    test("the caller's envs win over a secret of the same name and stay plain", async () => {
      await store(
        "s3",
        [],
        [
          ["K", { value: "sk-3" }],
          ["L", { value: "sk-4" }],
        ],
      );
      const { sandboxID } = await create({ secretStore: "s3", envs: { K: "mine" } });
      assert.equal(installation().worker.machines.get(sandboxID)?.request.envs["K"], "mine");
      const session = installation().egressProxy.sessions.get(sandboxID);
      assert.deepEqual(
        session?.secrets.map((secret) => secret.name),
        ["L"],
      );
    });

    test("allowed-hosts returns what the proxy enforces, and names unlimited secrets", async () => {
      await store(
        "s4",
        ["a.example.com"],
        [
          ["LIMITED", { value: "v", allowedHosts: ["a.example.com"] }],
          ["FREE", { value: "v" }],
        ],
      );
      const { sandboxID } = await create({ secretStore: "s4" });
      const path = `/api/sandboxes/${sandboxID}/allowed-hosts`;
      assert.deepEqual((await call("GET", path)).json, {
        sandboxID,
        secretStore: "s4",
        egressAllowlist: ["a.example.com"],
        perSecretAllowedHosts: { LIMITED: ["a.example.com"] },
        secretsForAllHosts: ["FREE"],
      });
      const session = installation().egressProxy.sessions.get(sandboxID);
      assert.ok(session !== undefined);
      session.egressAllowlist = ["seen.example.com"];
      assert.deepEqual((await call("GET", path)).json.egressAllowlist, ["seen.example.com"]);
      const plain = (await create()).sandboxID;
      assert.deepEqual((await call("GET", `/api/sandboxes/${plain}/allowed-hosts`)).json, {
        sandboxID: plain,
        egressAllowlist: [],
        perSecretAllowedHosts: {},
      });
    });

    test("deleteSecretStore deletes the store with the sandbox, unless something else uses it", async () => {
      const stores = async () =>
        (await call("GET", "/api/secret-stores")).json.map(({ name }: { name: string }) => name);
      const kill = (id: string, query = "?deleteSecretStore=true") =>
        call("DELETE", `/api/sandboxes/${id}${query}`);
      const statusOf = async (id: string) =>
        (await call("GET", `/api/sandboxes/${id}`)).json.status;
      const refused = async (id: string, user: RegExp) => {
        const { status, json } = await kill(id);
        assert.deepEqual([status, json.code], [409, "secret_store_in_use"]);
        assert.match(json.error, user);
        assert.equal(await statusOf(id), "running", "nothing is done");
        assert.ok((await stores()).includes("owned"));
      };
      await store("owned", [], [["K", { value: "v" }]]);
      const first = (await create({ secretStore: "owned" })).sandboxID;
      const second = (await create({ secretStore: "owned" })).sandboxID;
      await refused(first, new RegExp(`used by sandbox ${second}`));
      const checkpoint = await call("POST", `/api/sandboxes/${second}/checkpoints`, {
        body: { name: "kept" },
      });
      assert.equal(checkpoint.status, 201);
      const path = `/api/sandboxes/${second}/checkpoints`;
      await eventually(
        async () => (await call("GET", path)).json[0].status === "ready",
        "the checkpoint is ready",
      );
      assert.equal((await kill(second, "")).status, 204);
      assert.ok((await stores()).includes("owned"), "a plain kill keeps the store");
      await refused(first, new RegExp(`checkpoint ${checkpoint.json.id} of sandbox ${second}`));
      assert.equal((await call("DELETE", `${path}/${checkpoint.json.id}`)).status, 204);
      assert.equal((await kill(first)).status, 204);
      assert.equal(await statusOf(first), "stopped");
      assert.ok(!(await stores()).includes("owned"));
      assert.equal((await kill(first)).status, 204, "once more is no error");

      const bare = (await create()).sandboxID;
      assert.equal((await kill(bare)).status, 204, "without a store it is a kill");
      assert.equal((await kill(bare, "?deleteSecretStore=maybe")).status, 400);
    });

    test("deleteSecretStore never deletes a project's own store", async () => {
      const { id } = (await call("POST", "/api/projects", { body: { name: "owner" } })).json;
      await call("PUT", `/api/projects/${id}/secrets/K`, { body: { value: "v" } });
      await store("owner", [], []);
      const { sandboxID } = await create({ project: "owner", secretStore: "owner" });
      const killed = await call("DELETE", `/api/sandboxes/${sandboxID}?deleteSecretStore=true`);
      assert.equal(killed.status, 204);
      assert.deepEqual((await call("GET", `/api/projects/${id}/secrets`)).json, ["K"]);
    });

    test("deleteSecretStore deletes the store of the create, whatever the names are since", async () => {
      const isThere = async (id: string) =>
        (await call("GET", `/api/secret-stores/${id}`)).status === 200;
      const rename = (id: string, name: string) =>
        call("PUT", `/api/secret-stores/${id}`, { body: { name } });
      const kill = (id: string) => call("DELETE", `/api/sandboxes/${id}?deleteSecretStore=true`);

      const renamed = await store("renamed", [], []);
      const { sandboxID } = await create({ secretStore: "renamed" });
      await rename(renamed, "renamed since");
      const namesake = await store("renamed", [], []);
      const other = (await create({ secretStore: "renamed since" })).sandboxID;
      assert.deepEqual((await kill(other)).json.code, "secret_store_in_use");
      assert.equal((await call("DELETE", `/api/sandboxes/${other}`)).status, 204);
      assert.equal((await kill(sandboxID)).status, 204);
      assert.deepEqual([await isThere(renamed), await isThere(namesake)], [false, true]);

      const deleted = await store("deleted", [], []);
      const outlives = (await create({ secretStore: "deleted" })).sandboxID;
      assert.equal((await call("DELETE", `/api/secret-stores/${deleted}`)).status, 204);
      const successor = await store("deleted", [], []);
      assert.equal((await kill(outlives)).status, 204);
      assert.ok(await isThere(successor));
    });

    test("rotation reaches the proxy before the response: same token, new value and limits", async () => {
      const id = await store("s5", [], [["K", { value: "old", allowedHosts: ["a.example.com"] }]]);
      const { sandboxID } = await create({ secretStore: "s5" });
      const secret = () => installation().egressProxy.sessions.get(sandboxID)?.secrets[0];
      const token = secret()?.token;
      const path = `/api/secret-stores/${id}/secrets/K`;
      await call("PUT", path, { body: { value: "new" } });
      assert.deepEqual(secret(), {
        name: "K",
        token,
        value: "new",
        allowedHosts: ["a.example.com"],
        substituteIn: ["header", "body"],
      });
      await call("PUT", path, { body: { value: "newer", allowedHosts: ["b.example.com"] } });
      assert.deepEqual(secret(), {
        name: "K",
        token,
        value: "newer",
        allowedHosts: ["b.example.com"],
        substituteIn: ["header", "body"],
      });
    });

    test("a failed hand-over makes the rotation fail, so that the caller tries again", async () => {
      const id = await store("s6", [], [["K", { value: "old" }]]);
      await create({ secretStore: "s6" });
      const { egressProxy } = installation();
      egressProxy.before = async () => {
        throw new Error("full");
      };
      const path = `/api/secret-stores/${id}/secrets/K`;
      const failed = await call("PUT", path, { body: { value: "new" } });
      egressProxy.before = async () => undefined;
      assert.equal(failed.status, 500);
      assert.equal((await call("PUT", path, { body: { value: "new" } })).status, 200);
    });

    test("new names appear at the next create; deleting secret and store leaves sandboxes alone", async () => {
      const id = await store("s7", ["a.example.com"], [["K", { value: "v" }]]);
      const { sandboxID } = await create({ secretStore: "s7" });
      const before = installation().egressProxy.contentOf(sandboxID);
      await call("PUT", `/api/secret-stores/${id}/secrets/NEW`, { body: { value: "n" } });
      await call("DELETE", `/api/secret-stores/${id}/secrets/K`);
      await call("DELETE", `/api/secret-stores/${id}`);
      await installation().egressProxy.restart();
      await eventually(
        () => installation().egressProxy.sessions.has(sandboxID),
        "the new proxy has the session",
      );
      assert.deepEqual(installation().egressProxy.contentOf(sandboxID), before);
      const detail = (await call("GET", `/api/sandboxes/${sandboxID}`)).json;
      assert.equal(detail.secretStore, "s7");
    });

    test("get has the whole detail; list the running ones of the org, newest first", async () => {
      const one = (await create()).sandboxID;
      const other = (await create()).sandboxID;
      sandboxDetailSchema.strict().parse((await call("GET", `/api/sandboxes/${one}`)).json);
      const list = (await call("GET", "/api/sandboxes")).json;
      for (const row of list) sandboxSummarySchema.strict().parse(row);
      const ids = list.map((row: { sandboxID: string }) => row.sandboxID);
      assert.ok(ids.indexOf(other) < ids.indexOf(one));
      await call("DELETE", `/api/sandboxes/${one}`);
      const idsOf = async (status: string) =>
        (await call("GET", `/api/sandboxes?status=${status}`)).json.map(
          (row: { sandboxID: string }) => row.sandboxID,
        );
      assert.ok(!(await idsOf("running")).includes(one));
      assert.ok((await idsOf("stopped")).includes(one));
      assert.deepEqual(await idsOf("hibernated"), []);
      assert.equal((await call("GET", "/api/sandboxes?status=odd")).status, 400);
    });

    test("kill takes machine, session and encrypted copies; its status is stopped for a while", async () => {
      await store("s8", [], [["K", { value: "v" }]]);
      const { sandboxID } = await create({ secretStore: "s8" });
      const path = `/api/sandboxes/${sandboxID}`;
      assert.equal((await call("DELETE", path)).status, 204);
      assert.ok(!installation().worker.machines.has(sandboxID));
      assert.ok(!installation().egressProxy.sessions.has(sandboxID));
      assert.equal((await call("GET", path)).json.status, "stopped");
      assert.equal((await call("DELETE", path)).status, 204, "killing again changes nothing");
      for (const [method, route, body] of [
        ["POST", "exec/run", { cmd: "true" }],
        ["POST", "timeout", { timeout: 5 }],
        ["GET", "allowed-hosts", undefined],
        ["GET", "files?path=/a", undefined],
      ] as const) {
        const response = await call(method, `${path}/${route}`, { body });
        assert.deepEqual([response.status, response.json.code], [409, "sandbox_not_running"]);
      }
    });

    test("unknown and malformed ids are 404", async () => {
      for (const id of [mintSandboxId(), "sb-x", "x", "%00"]) {
        for (const method of ["GET", "DELETE"]) {
          const response = await call(method, `/api/sandboxes/${id}`);
          assert.deepEqual([response.status, response.json.code], [404, "sandbox_not_found"]);
        }
      }
    });

    const refused: [unknown, string, RegExp][] = [
      [
        { previewAuth: { scheme: "basic", token: "auto" } },
        "invalid_request",
        /previewAuth.scheme/,
      ],
      [
        { previewAuth: { scheme: "bearer", token: "x".repeat(15) } },
        "invalid_request",
        /at least 16/,
      ],
      [{ timeout: -1 }, "invalid_request", /positive/],
      [{ templateID: "python" }, "invalid_request", /templateID.*"python"/],
      [{ cpuCount: 5 }, "invalid_request", /this host has at most 4/],
      [{ memoryMB: 8193 }, "invalid_request", /this host has at most 8192/],
      [{ secretStore: "absent" }, "secret_store_not_found", /^secret store not found: absent$/],
      [{ project: "absent" }, "project_not_found", /^project not found: absent$/],
      [{ secretStore: "a\0b" }, "secret_store_not_found", /not found/],
      [{ metadata: { a: "\0" } }, "invalid_request", /NUL/],
      [{ envs: { A: "\0" } }, "invalid_request", /envs.A: .*NUL/],
      [{ envs: { A: "\ud800" } }, "invalid_request", /envs.A: .*Unicode/],
      [{ metadata: { "\ud800": "a" } }, "invalid_request", /Unicode/],
    ];
    for (const [body, code, message] of refused) {
      test(`create with ${JSON.stringify(body)} is refused`, async () => {
        const response = await call("POST", "/api/sandboxes", { body });
        assert.deepEqual([response.status, response.json.code], [400, code]);
        assert.match(response.json.error, message);
      });
    }

    test("options of value null count as absent, and empty names too", async () => {
      const options = Object.keys(createSandboxRequestSchema.shape);
      const absent = Object.fromEntries(options.map((option) => [option, null]));
      const created = await call("POST", "/api/sandboxes", { body: absent });
      assert.equal(created.status, 201);
      const { cpuCount, memoryMB, metadata } = created.json;
      assert.deepEqual([cpuCount, memoryMB, metadata], [1, 1024, {}]);
      const empty = { snapshot: "", templateID: "", project: "", secretStore: "" };
      assert.equal((await call("POST", "/api/sandboxes", { body: empty })).status, 201);
    });

    test("ten creates at once all work, each with its own machine", async () => {
      const made = await Promise.all(
        Array.from({ length: 10 }, () => create({ secretStore: "s2" })),
      );
      const addresses = made.map(
        ({ sandboxID }) => installation().egressProxy.sessions.get(sandboxID)?.sourceAddress,
      );
      assert.equal(new Set(addresses).size, 10);
    });

    test("set-timeout changes when it ends; 0 is never; a negative one is refused", async () => {
      const { sandboxID } = await create();
      const path = `/api/sandboxes/${sandboxID}`;
      const set = (timeout: unknown) => call("POST", `${path}/timeout`, { body: { timeout } });
      assert.equal((await set(3600)).status, 204);
      const endAt = Date.parse((await call("GET", path)).json.endAt);
      assert.ok(Math.abs(endAt - Date.now() - 3_600_000) < 60_000);
      assert.equal((await set(0)).status, 204);
      assert.equal((await call("GET", path)).json.endAt, null);
      const negative = await set(-1);
      assert.equal(negative.status, 400);
      assert.match(negative.json.error, /positive/);
    });

    test("time-out 0 at create is never", async () => {
      assert.equal((await create({ timeout: 0 })).endAt, null);
    });

    test("commands pass through to the sandbox, and so do the worker's own errors", async () => {
      const { sandboxID } = await create();
      const path = `/api/sandboxes/${sandboxID}/exec/run`;
      const run = await call("POST", path, { body: { cmd: "hello", timeout: 5 } });
      assert.deepEqual(run.json, { exitCode: 0, stdout: "hello\n", stderr: "" });
      const bad = await call("POST", path, { body: { cmd: " " } });
      assert.equal(bad.status, 400);
      installation().worker.machines.delete(sandboxID);
      assert.equal((await call("POST", path, { body: { cmd: "x" } })).status, 404);
    });
  });
}
