import assert from "node:assert/strict";
import { test } from "node:test";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

/** Every route that names an object. A new route is added here. */
const routes: [method: string, path: string, body?: unknown][] = [
  ["GET", "/api/sandboxes/:sandbox"],
  ["DELETE", "/api/sandboxes/:sandbox"],
  ["POST", "/api/sandboxes/:sandbox/timeout", { timeout: 1 }],
  ["GET", "/api/sandboxes/:sandbox/allowed-hosts"],
  ["GET", "/api/sandboxes/:sandbox/egress"],
  ["GET", "/api/sandboxes/:sandbox/egress/explain?url=https://example.com/"],
  ["GET", "/api/sandboxes/:sandbox/egress/suggestion"],
  ["GET", "/api/sandboxes/:sandbox/usage"],
  ["GET", "/api/sandboxes/:sandbox/tags"],
  ["PUT", "/api/sandboxes/:sandbox/tags", { stolen: "yes" }],
  ["PATCH", "/api/sandboxes/:sandbox/tags", { stolen: "yes" }],
  ["POST", "/api/sandboxes/:sandbox/exec/run", { cmd: "env" }],
  ["POST", "/api/sandboxes/:sandbox/exec", { cmd: "env" }],
  ["GET", "/api/sandboxes/:sandbox/exec"],
  ["POST", "/api/sandboxes/:sandbox/exec/run-async", { cmd: "env" }],
  ["GET", "/api/sandboxes/:sandbox/files?path=/f"],
  ["PUT", "/api/sandboxes/:sandbox/files?path=/f", {}],
  ["DELETE", "/api/sandboxes/:sandbox/files?path=/f"],
  ["GET", "/api/sandboxes/:sandbox/files/list?path=/"],
  ["POST", "/api/sandboxes/:sandbox/files/mkdir?path=/d"],
  ["POST", "/api/sandboxes/:sandbox/files/download-url", { path: "/f" }],
  ["POST", "/api/sandboxes/:sandbox/files/upload-url", { path: "/f" }],
  ["POST", "/api/sandboxes/:sandbox/hibernate"],
  ["POST", "/api/sandboxes/:sandbox/wake"],
  ["POST", "/api/sandboxes/:sandbox/checkpoints", { name: "stolen" }],
  ["GET", "/api/sandboxes/:sandbox/checkpoints"],
  ["DELETE", "/api/sandboxes/:sandbox/checkpoints/:checkpoint"],
  ["POST", "/api/sandboxes/:sandbox/checkpoints/:checkpoint/restore"],
  ["POST", "/api/sandboxes/from-checkpoint/:checkpoint"],
  ["GET", "/api/sandboxes/checkpoints/:checkpoint/patches"],
  ["POST", "/api/sandboxes/checkpoints/:checkpoint/patches", { script: "stolen" }],
  ["DELETE", "/api/sandboxes/checkpoints/:checkpoint/patches/:patch"],
  ["GET", "/api/webhooks/:webhook"],
  ["PATCH", "/api/webhooks/:webhook", { enabled: false }],
  ["DELETE", "/api/webhooks/:webhook"],
  ["GET", "/api/webhooks/:webhook/deliveries"],
  ["POST", "/api/webhooks/:webhook/deliveries/:patch/resend"],
  ["GET", "/api/snapshots/:snapshot"],
  ["DELETE", "/api/snapshots/:snapshot"],
  ["GET", "/api/secret-stores/:store"],
  ["PUT", "/api/secret-stores/:store", { name: "stolen" }],
  ["DELETE", "/api/secret-stores/:store"],
  ["GET", "/api/secret-stores/:store/secrets"],
  ["PUT", "/api/secret-stores/:store/secrets/K", { value: "stolen" }],
  ["DELETE", "/api/secret-stores/:store/secrets/K"],
  ["GET", "/api/projects/:project"],
  ["PUT", "/api/projects/:project", { name: "stolen" }],
  ["DELETE", "/api/projects/:project"],
  ["GET", "/api/projects/:project/secrets"],
  ["PUT", "/api/projects/:project/secrets/K", { value: "stolen" }],
  ["DELETE", "/api/projects/:project/secrets/K"],
];

export function describeIsolation(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("isolation of orgs", openDatabase, (installation) => {
    const make = async () => {
      const post = async (path: string, body: unknown) =>
        (await installation().call("POST", path, { body })).json;
      const store = (await post("/api/secret-stores", { name: "s" })).id;
      const project = (await post("/api/projects", { name: "p" })).id;
      for (const owner of [`secret-stores/${store}`, `projects/${project}`]) {
        await installation().call("PUT", `/api/${owner}/secrets/K`, { body: { value: "mine" } });
      }
      const sandbox = (await post("/api/sandboxes", { secretStore: "s" })).sandboxID;
      const checkpoint = (await post(`/api/sandboxes/${sandbox}/checkpoints`, { name: "c" })).id;
      const patches = `/api/sandboxes/checkpoints/${checkpoint}/patches`;
      const patch = (await post(patches, { script: "true" })).patch.id;
      const image = { base: "base", steps: [] };
      const snapshot = (await post("/api/snapshots", { name: "sn", image })).name;
      const webhook = (await post("/api/webhooks", { url: "http://127.0.0.1:1/" })).id;
      return { store, project, sandbox, checkpoint, patch, snapshot, webhook };
    };

    test("the key of a second org gets 404 on every route, like for what does not exist", async () => {
      const ids = await make();
      const key = await installation().secondOrgKey();
      const session = structuredClone(installation().egressProxy.sessions.get(ids.sandbox));
      for (const [method, path, body] of routes) {
        const own = path
          .replace(":sandbox", ids.sandbox)
          .replace(":store", ids.store)
          .replace(":checkpoint", ids.checkpoint)
          .replace(":patch", ids.patch)
          .replace(":webhook", ids.webhook)
          .replace(":snapshot", ids.snapshot)
          .replace(":project", ids.project);
        const foreign = await installation().call(method, own, { key, body });
        assert.equal(foreign.status, 404, `${method} ${path}`);
        const absent = path
          .replace(":sandbox", "sb-aaaaaaaaaaaaaaaaaaaa")
          .replace(
            /:store|:snapshot|:project|:checkpoint|:patch/g,
            "00000000-0000-4000-8000-000000000000",
          );
        const unknown = await installation().call(method, absent, { key, body });
        assert.equal(unknown.status, 404, `${method} ${absent}`);
        assert.equal(unknown.json.code, foreign.json.code, `${method} ${path}`);
      }
      assert.deepEqual(installation().egressProxy.sessions.get(ids.sandbox), session);
      const patches = `/api/sandboxes/checkpoints/${ids.checkpoint}/patches`;
      assert.equal((await installation().call("GET", patches)).json.length, 1);
      for (const path of [`secret-stores/${ids.store}`, `projects/${ids.project}`]) {
        assert.equal((await installation().call("GET", `/api/${path}`)).status, 200);
      }
    });

    test("lists show only what is one's own, and names may be the same", async () => {
      const key = await installation().secondOrgKey();
      for (const path of [
        "/api/sandboxes",
        "/api/snapshots",
        "/api/secret-stores",
        "/api/projects",
      ]) {
        assert.equal((await installation().call("GET", path, { key })).text, "[]");
        assert.notEqual((await installation().call("GET", path)).text, "[]");
      }
      for (const body of [{ secretStore: "s" }, { project: "p" }]) {
        const response = await installation().call("POST", "/api/sandboxes", { key, body });
        assert.equal(response.status, 400, "a foreign store or project is not found by its name");
      }
      const body = { snapshot: "sn" };
      const foreign = await installation().call("POST", "/api/sandboxes", { key, body });
      assert.deepEqual([foreign.status, foreign.json.code], [400, "snapshot_not_found"]);
      const own = await installation().call("POST", "/api/secret-stores", {
        key,
        body: { name: "s" },
      });
      assert.equal(own.status, 201);
    });
  });
}
