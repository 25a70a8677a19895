import assert from "node:assert/strict";
import { test } from "node:test";
import { projectSchema, secretEntrySchema } from "@opencomputer/protocol/api";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeProjects(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("projects", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (body: unknown) => (await call("POST", "/api/projects", { body })).json;
    const setSecret = (path: string, name: string, body: unknown) =>
      call("PUT", `${path}/secrets/${name}`, { body });
    const createSandbox = async (body: unknown) =>
      (await call("POST", "/api/sandboxes", { body })).json;

    test("create responds 201 with the whole project; what is absent is empty or 0", async () => {
      const response = await call("POST", "/api/projects", { body: { name: "bare" } });
      assert.equal(response.status, 201);
      const project = projectSchema.strict().parse(response.json);
      assert.deepEqual(
        [project.template, project.cpuCount, project.memoryMB, project.timeoutSec],
        ["", 0, 0, 0],
      );
      assert.deepEqual(project.egressAllowlist, []);
      assert.deepEqual((await call("GET", `/api/projects/${project.id}`)).json, project);
    });

    test("a template that cannot be stored is 400", async () => {
      for (const template of ["\0", "\ud800"]) {
        const response = await call("POST", "/api/projects", { body: { name: "odd", template } });
        assert.deepEqual([response.status, response.json.code], [400, "invalid_request"]);
      }
    });

    test("a name in use is 409 and leaves no store behind", async () => {
      await create({ name: "taken" });
      const again = await call("POST", "/api/projects", { body: { name: "taken" } });
      assert.deepEqual([again.status, again.json.code], [409, "name_in_use"]);
      assert.equal((await call("GET", "/api/secret-stores")).text, "[]");
    });

    test("an update changes only what is given; empty, 0 and null are not given", async () => {
      const { id } = await create({
        name: "partial",
        template: "default",
        cpuCount: 2,
        timeoutSec: 600,
        egressAllowlist: ["a.example.com"],
      });
      const put = async (body: unknown) =>
        (await call("PUT", `/api/projects/${id}`, { body })).json;
      const changed = await put({
        name: "",
        template: "",
        cpuCount: 0,
        memoryMB: 2048,
        timeoutSec: 0,
        egressAllowlist: null,
      });
      assert.deepEqual(
        [changed.name, changed.template, changed.cpuCount, changed.memoryMB, changed.timeoutSec],
        ["partial", "default", 2, 2048, 600],
      );
      assert.deepEqual(changed.egressAllowlist, ["a.example.com"]);
      assert.deepEqual((await put({ egressAllowlist: [] })).egressAllowlist, []);
    });

    test("secrets: set, names in order, delete", async () => {
      const { id } = await create({ name: "secrets" });
      const path = `/api/projects/${id}`;
      const strong = { value: "sk-9fK2mQx7Lw4RbT8vZc1N", substituteIn: ["header"] };
      assert.deepEqual((await setSecret(path, "B", strong)).json, { name: "B", status: "set" });
      await setSecret(path, "A", { value: "a" });
      assert.deepEqual((await call("GET", `${path}/secrets`)).json, ["A", "B"]);
      for (const query of ["details=", "details=false"]) {
        assert.deepEqual((await call("GET", `${path}/secrets?${query}`)).json, ["A", "B"]);
      }
      const detailed = await call("GET", `${path}/secrets?details=true`);
      assert.deepEqual(
        secretEntrySchema
          .array()
          .parse(detailed.json)
          .map(({ name, kind, substituteIn }) => [name, kind, substituteIn]),
        [
          ["A", "value", ["header", "body"]],
          ["B", "value", ["header"]],
        ],
      );
      assert.doesNotMatch(JSON.stringify(detailed.json), /9fK2mQx7Lw4RbT8vZc1N/);
      assert.equal((await call("GET", `${path}/secrets?details=yes`)).status, 400);
      assert.equal((await call("DELETE", `${path}/secrets/A`)).status, 204);
      assert.deepEqual((await call("GET", `${path}/secrets`)).json, ["B"]);
    });

    test("a sandbox inherits defaults, allowlist and secrets; explicit options win", async () => {
      const { id } = await create({
        name: "agent",
        template: "default",
        cpuCount: 2,
        memoryMB: 2048,
        timeoutSec: 600,
        egressAllowlist: ["api.example.com"],
      });
      await setSecret(`/api/projects/${id}`, "K", { value: "v" });
      const inherited = await createSandbox({ project: "agent", timeout: 0, templateID: "base" });
      assert.deepEqual([inherited.cpuCount, inherited.memoryMB], [2, 2048]);
      assert.equal(Date.parse(inherited.endAt) - Date.parse(inherited.startedAt), 600_000);
      const session = installation().egressProxy.sessions.get(inherited.sandboxID);
      assert.equal(session?.mode, "allowlisted");
      assert.deepEqual(session?.egressAllowlist, ["api.example.com"]);
      assert.deepEqual(
        session?.secrets.map((secret) => secret.value),
        ["v"],
      );
      const detail = (await call("GET", `/api/sandboxes/${inherited.sandboxID}`)).json;
      assert.deepEqual([detail.project, detail.secretStore], ["agent", undefined]);
      const explicit = await createSandbox({ project: "agent", cpuCount: 1, timeout: 60 });
      assert.deepEqual([explicit.cpuCount, explicit.memoryMB], [1, 2048]);
    });

    test("a project that only sets sizes leaves the network open", async () => {
      await create({ name: "sizes", cpuCount: 2 });
      const { sandboxID } = await createSandbox({ project: "sizes" });
      assert.equal(installation().egressProxy.sessions.get(sandboxID)?.mode, "open");
    });

    test("a named store is layered on the project's", async () => {
      const { id } = await create({ name: "base", egressAllowlist: ["a.example.com"] });
      const hosts = ["a.example.com"];
      await setSecret(`/api/projects/${id}`, "SHARED", { value: "base", allowedHosts: hosts });
      await setSecret(`/api/projects/${id}`, "BASE", { value: "b" });
      const store = (
        await call("POST", "/api/secret-stores", {
          body: { name: "top", egressAllowlist: ["b.example.com"] },
        })
      ).json;
      await setSecret(`/api/secret-stores/${store.id}`, "SHARED", { value: "top" });
      const { sandboxID } = await createSandbox({ project: "base", secretStore: "top" });
      const session = installation().egressProxy.sessions.get(sandboxID);
      assert.deepEqual(session?.egressAllowlist, ["a.example.com", "b.example.com"]);
      const values = session?.secrets.map(({ name, value, allowedHosts }) => [
        name,
        value,
        allowedHosts,
      ]);
      assert.deepEqual(values?.toSorted(), [
        ["BASE", "b", []],
        ["SHARED", "top", []],
      ]);
      const detail = (await call("GET", `/api/sandboxes/${sandboxID}`)).json;
      assert.deepEqual(
        [detail.project, detail.secretStore, detail.baseSecretStore],
        ["base", "top", "base"],
      );
      await setSecret(`/api/projects/${id}`, "SHARED", { value: "rotated base" });
      assert.ok(
        !installation()
          .egressProxy.sessions.get(sandboxID)
          ?.secrets.some((secret) => secret.value === "rotated base"),
        "the losing secret does not reach the sandbox",
      );
    });

    test("rotation of a project's secret reaches its sandboxes", async () => {
      const { id } = await create({ name: "rotating" });
      await setSecret(`/api/projects/${id}`, "K", { value: "old" });
      const { sandboxID } = await createSandbox({ project: "rotating" });
      const before = installation().egressProxy.sessions.get(sandboxID)?.secrets[0];
      await setSecret(`/api/projects/${id}`, "K", { value: "new" });
      const after = installation().egressProxy.sessions.get(sandboxID)?.secrets[0];
      assert.deepEqual([before?.value, after?.value], ["old", "new"]);
      assert.equal(before?.token, after?.token);
    });

    test("a project's store is not reached as a secret store, by name or by list", async () => {
      await create({ name: "hidden" });
      const stores = (await call("GET", "/api/secret-stores")).json;
      assert.ok(!stores.some((store: { name: string }) => store.name === "hidden"));
      const response = await call("POST", "/api/sandboxes", { body: { secretStore: "hidden" } });
      assert.equal(response.json.code, "secret_store_not_found");
      const named = await call("POST", "/api/secret-stores", { body: { name: "hidden" } });
      assert.equal(named.status, 201, "a store may have the name of a project");
    });

    test("deleting a project is 204, then 404, and leaves running sandboxes alone", async () => {
      const { id } = await create({ name: "short-lived" });
      await setSecret(`/api/projects/${id}`, "K", { value: "v" });
      const { sandboxID } = await createSandbox({ project: "short-lived" });
      assert.equal((await call("DELETE", `/api/projects/${id}`)).status, 204);
      for (const [method, path] of [
        ["GET", ""],
        ["DELETE", ""],
        ["GET", "/secrets"],
      ] as const) {
        assert.equal((await call(method, `/api/projects/${id}${path}`)).status, 404);
      }
      const detail = (await call("GET", `/api/sandboxes/${sandboxID}`)).json;
      assert.deepEqual([detail.status, detail.project], ["running", "short-lived"]);
    });
  });
}
