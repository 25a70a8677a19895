import assert from "node:assert/strict";
import { test } from "node:test";
import { limits, secretEntrySchema, secretStoreSchema } from "@opencomputer/protocol/api";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeSecretStores(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("secret stores", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (name: string, egressAllowlist?: string[]) =>
      (await call("POST", "/api/secret-stores", { body: { name, egressAllowlist } })).json;

    test("create responds 201 with the whole store, patterns in canonical form", async () => {
      const response = await call("POST", "/api/secret-stores", {
        body: { name: "made", egressAllowlist: ["API.Anthropic.com.", "*.openai.com"] },
      });
      assert.equal(response.status, 201);
      const store = secretStoreSchema.parse(response.json);
      assert.deepEqual(store.egressAllowlist, ["api.anthropic.com", "*.openai.com"]);
      assert.deepEqual((await call("GET", `/api/secret-stores/${store.id}`)).json, store);
    });

    test("a list is sorted by name and empty lists are []", async () => {
      await create("z");
      await create("a");
      const names = (await call("GET", "/api/secret-stores")).json.map(
        (store: { name: string }) => store.name,
      );
      assert.deepEqual(names, names.toSorted());
      const { id } = await create("empty");
      assert.equal((await call("GET", `/api/secret-stores/${id}/secrets`)).text, "[]");
    });

    test("a name in use is 409, at create and at update", async () => {
      await create("taken");
      const again = await call("POST", "/api/secret-stores", { body: { name: "taken" } });
      assert.deepEqual([again.status, again.json.code], [409, "name_in_use"]);
      const { id } = await create("free");
      const renamed = await call("PUT", `/api/secret-stores/${id}`, { body: { name: "taken" } });
      assert.deepEqual([renamed.status, renamed.json.code], [409, "name_in_use"]);
    });

    test("an update keeps what is absent or null, and [] clears", async () => {
      const { id } = await create("partial", ["a.example.com"]);
      const put = async (body: unknown) =>
        (await call("PUT", `/api/secret-stores/${id}`, { body })).json;
      assert.equal((await put({ name: "renamed" })).egressAllowlist.length, 1);
      const kept = await put({ name: null, egressAllowlist: null });
      assert.deepEqual([kept.name, kept.egressAllowlist], ["renamed", ["a.example.com"]]);
      const cleared = await put({ egressAllowlist: [] });
      assert.deepEqual([cleared.name, cleared.egressAllowlist], ["renamed", []]);
    });

    test("delete is 204, then 404", async () => {
      const { id } = await create("short-lived");
      await call("PUT", `/api/secret-stores/${id}/secrets/KEY`, { body: { value: "v" } });
      assert.equal((await call("DELETE", `/api/secret-stores/${id}`)).status, 204);
      for (const [method, path] of [
        ["GET", ""],
        ["DELETE", ""],
        ["GET", "/secrets"],
        ["DELETE", "/secrets/KEY"],
      ] as const) {
        assert.equal((await call(method, `/api/secret-stores/${id}${path}`)).status, 404);
      }
    });

    test("ids that are no UUID are 404", async () => {
      for (const id of ["x", "%00", "1;drop", "a".repeat(200)]) {
        assert.equal((await call("GET", `/api/secret-stores/${id}`)).status, 404, id);
      }
    });

    test("a secret is set, listed without its value, and deleted", async () => {
      const { id } = await create("with-secrets");
      const path = `/api/secret-stores/${id}/secrets`;
      const set = await call("PUT", `${path}/API_KEY`, {
        body: { value: "sk-9fK2mQx7Lw4RbT8vZc1N", allowedHosts: ["API.example.com"] },
      });
      assert.deepEqual([set.status, set.json], [200, { name: "API_KEY", status: "set" }]);
      const [entry] = (await call("GET", path)).json;
      assert.deepEqual(
        Object.keys(entry).toSorted(),
        Object.keys(secretEntrySchema.omit({ revokedAt: true, lastUsedAt: true }).shape).toSorted(),
      );
      assert.deepEqual([entry.name, entry.storeId], ["API_KEY", id]);
      assert.deepEqual(entry.allowedHosts, ["api.example.com"]);
      assert.equal((await call("DELETE", `${path}/API_KEY`)).status, 204);
      assert.equal((await call("DELETE", `${path}/API_KEY`)).status, 404);
    });

    test("setting again keeps host limits that the call does not name; [] lifts them", async () => {
      const { id } = await create("limited");
      const path = `/api/secret-stores/${id}/secrets`;
      const hostsAfter = async (body: unknown) => {
        await call("PUT", `${path}/K`, { body });
        return (await call("GET", path)).json[0].allowedHosts;
      };
      const hosts = ["a.example.com"];
      assert.deepEqual(await hostsAfter({ value: "1", allowedHosts: hosts }), hosts);
      assert.deepEqual(await hostsAfter({ value: "2" }), hosts);
      assert.deepEqual(await hostsAfter({ value: "3", allowedHosts: null }), hosts);
      assert.deepEqual(await hostsAfter({ value: "4", allowedHosts: [] }), []);
    });

    const badNames = ["1A", "A-B", "LD_PRELOAD", "PATH", "NODE_EXTRA_CA_CERTS", "a".repeat(129)];
    for (const name of badNames) {
      test(`the secret name ${name.slice(0, 20)} is refused`, async () => {
        const { id } = await create(`names ${name.slice(0, 20)}`);
        const path = `/api/secret-stores/${id}/secrets/${name}`;
        const response = await call("PUT", path, { body: { value: "v" } });
        assert.deepEqual([response.status, response.json.code], [400, "invalid_secret_name"]);
      });
    }

    const badPatterns = [
      "*",
      "*.com",
      "*.co.uk",
      "https://a.com",
      "a.com:443",
      "a.com/x",
      "",
      "a.*",
    ];
    for (const pattern of badPatterns) {
      test(`the host pattern "${pattern}" is refused, in a store and in a secret`, async () => {
        const { id } = await create(`patterns ${pattern}`);
        const responses = [
          await call("POST", "/api/secret-stores", {
            body: { name: "never", egressAllowlist: [pattern] },
          }),
          await call("PUT", `/api/secret-stores/${id}`, { body: { egressAllowlist: [pattern] } }),
          await call("PUT", `/api/secret-stores/${id}/secrets/K`, {
            body: { value: "v", allowedHosts: [pattern] },
          }),
        ];
        for (const response of responses) {
          assert.deepEqual([response.status, response.json.code], [400, "invalid_host_pattern"]);
        }
      });
    }

    test("values of 1 byte to 64 KiB are taken, with line breaks and NUL; others are not", async () => {
      const { id } = await create("values");
      const put = async (value: unknown) =>
        (await call("PUT", `/api/secret-stores/${id}/secrets/K`, { body: { value } })).status;
      for (const value of ["x", "a\r\nb\0c", "v".repeat(limits.secretValueBytesMax)]) {
        assert.equal(await put(value), 200);
      }
      for (const value of ["", "v".repeat(limits.secretValueBytesMax + 1), 5, null, undefined]) {
        assert.equal(await put(value), 400);
      }
    });

    test(`a store takes ${limits.secretsPerStoreMax} secrets; one more is limit_exceeded`, async () => {
      const { id } = await create("full");
      const put = (index: number) =>
        call("PUT", `/api/secret-stores/${id}/secrets/K${index}`, { body: { value: "v" } });
      for (let index = 0; index < limits.secretsPerStoreMax; index += 1) {
        assert.equal((await put(index)).status, 200);
      }
      const over = await put(limits.secretsPerStoreMax);
      assert.deepEqual([over.status, over.json.code], [400, "limit_exceeded"]);
      assert.equal((await put(0)).status, 200, "one that exists can still be set");
    });
  });
}
