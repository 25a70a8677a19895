import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  apiKeyEntrySchema,
  apiKeyPattern,
  createdApiKeySchema,
  limits,
} from "@opencomputer/protocol/api";
import { eq } from "../../database/query-builder.ts";
import { apiKeys } from "../../database/schema.ts";
import { mintApiKey } from "../../orgs/api-key-repository.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

interface Entry {
  id: string;
  name: string;
  prefix: string;
}

export function describeApiKeys(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("API keys", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);
    const create = async (name: string) =>
      createdApiKeySchema
        .strict()
        .parse((await call("POST", "/api/keys", { body: { name } })).json);
    const opens = async (key: string) =>
      (await call("GET", "/api/sandboxes", { key })).status === 200;

    test("create responds 201 with the key, which opens the API of the same org", async () => {
      const response = await call("POST", "/api/keys", { body: { name: " ci " } });
      assert.equal(response.status, 201);
      assert.equal(response.headers.get("cache-control"), "no-store");
      const created = createdApiKeySchema.strict().parse(response.json);
      assert.match(created.key, apiKeyPattern);
      assert.deepEqual([created.name, created.prefix], ["ci", created.key.slice(0, 12)]);
      await call("POST", "/api/secret-stores", { body: { name: "of-the-org" } });
      const stores = (await call("GET", "/api/secret-stores", { key: created.key })).json;
      assert.equal(stores.length, 1);
    });

    test("a list has all keys and no values, and neither has the database", async () => {
      const created = await create("listed");
      const list = await call("GET", "/api/keys");
      const entries = list.json.map((entry: unknown) => apiKeyEntrySchema.strict().parse(entry));
      const names = entries.map((entry: Entry) => entry.name);
      assert.deepEqual([names[0], names.at(-1)], ["initial", "listed"]);
      assert.ok(!list.text.includes(created.key.slice(4)));
      const rows = JSON.stringify(await installation().database.select().from(apiKeys));
      assert.ok(!rows.includes(created.key.slice(4)));
      assert.ok(!list.text.includes("sha256"));
    });

    test("lastUsedAt is absent until the first use", async () => {
      const { id, key } = await create("used");
      const entryOf = async () =>
        (await call("GET", "/api/keys")).json.find((entry: Entry) => entry.id === id);
      assert.equal("lastUsedAt" in (await entryOf()), false);
      assert.ok(await opens(key));
      assert.ok(Math.abs(Date.parse((await entryOf()).lastUsedAt) - Date.now()) < 60_000);
    });

    test("a revoked key opens nothing from then on, also one that was just used", async () => {
      const { id, key } = await create("short-lived");
      assert.ok(await opens(key));
      assert.equal((await call("DELETE", `/api/keys/${id}`)).status, 204);
      const refused = await call("GET", "/api/sandboxes", { key });
      assert.deepEqual([refused.status, refused.json.code], [403, "invalid_api_key"]);
      assert.equal((await call("DELETE", `/api/keys/${id}`)).status, 404);
      const ids = (await call("GET", "/api/keys")).json.map((entry: Entry) => entry.id);
      assert.ok(!ids.includes(id));
      await installation().restart();
      assert.ok(!(await opens(key)));
    });

    test("a lookup under way when its key is revoked is not kept", async () => {
      const { id, key } = await create("raced");
      const uses = Array.from({ length: 20 }, () => opens(key));
      const revoked = call("DELETE", `/api/keys/${id}`);
      await Promise.all([...uses, revoked]);
      assert.equal((await revoked).status, 204);
      assert.ok(!(await opens(key)));
    });

    test("the last key of an org cannot be revoked, not even by two at once", async () => {
      const key = await installation().secondOrgKey();
      const [first] = (await call("GET", "/api/keys", { key })).json;
      const alone = await call("DELETE", `/api/keys/${first.id}`, { key });
      assert.deepEqual([alone.status, alone.json.code], [409, "last_api_key"]);
      const second = (await call("POST", "/api/keys", { key, body: { name: "b" } })).json;
      const responses = await Promise.all([
        call("DELETE", `/api/keys/${first.id}`, { key: second.key }),
        call("DELETE", `/api/keys/${second.id}`, { key }),
      ]);
      assert.equal(responses.filter(({ status }) => status === 204).length, 1);
      const left = [await opens(key), await opens(second.key)];
      assert.equal(left.filter(Boolean).length, 1);
    });

    test("a key of another org is 404 and is not listed", async () => {
      const key = await installation().secondOrgKey();
      const { id } = await create("mine");
      const foreign = await call("DELETE", `/api/keys/${id}`, { key });
      assert.deepEqual([foreign.status, foreign.json.code], [404, "not_found"]);
      const ids = (await call("GET", "/api/keys", { key })).json.map((entry: Entry) => entry.id);
      assert.ok(!ids.includes(id));
      for (const absent of ["x", "%00", "00000000-0000-4000-8000-000000000000"]) {
        assert.equal((await call("DELETE", `/api/keys/${absent}`)).status, 404);
      }
    });

    test("a name is needed", async () => {
      for (const body of [{}, { name: "" }, { name: "a\nb" }, { name: "n".repeat(129) }]) {
        assert.equal((await call("POST", "/api/keys", { body })).status, 400);
      }
    });

    test("a sandbox token manages no keys", async () => {
      const { token } = (await call("POST", "/api/sandboxes")).json;
      const headers = { authorization: `Bearer ${token}` };
      for (const method of ["GET", "POST"]) {
        assert.equal((await call(method, "/api/keys", { key: null, headers })).status, 401);
      }
    });

    test(`an org has at most ${limits.apiKeysPerOrgMax} keys`, async () => {
      const key = await installation().secondOrgKey();
      const { length } = (await call("GET", "/api/keys", { key })).json;
      const post = () => call("POST", "/api/keys", { key, body: { name: "many" } });
      for (let count = length; count < limits.apiKeysPerOrgMax; count += 1) {
        assert.equal((await post()).status, 201);
      }
      const over = await post();
      assert.deepEqual([over.status, over.json.code], [400, "limit_exceeded"]);
    });
  });

  describeWithInstallation("the initial API key", openDatabase, (installation) => {
    const call: ReturnType<typeof installation>["call"] = (...parameters) =>
      installation().call(...parameters);

    test("once revoked does not come back from its file, unless none is left", async () => {
      const [initial] = (await call("GET", "/api/keys")).json;
      const { key } = (await call("POST", "/api/keys", { body: { name: "next" } })).json;
      assert.equal((await call("DELETE", `/api/keys/${initial.id}`, { key })).status, 204);
      await installation().restart();
      assert.equal((await call("GET", "/api/sandboxes")).status, 403);
      assert.equal((await call("GET", "/api/sandboxes", { key })).status, 200);

      await installation().database.delete(apiKeys).where(eq(apiKeys.kind, "created"));
      await installation().restart();
      assert.equal((await call("GET", "/api/sandboxes")).status, 403);
      const path = join(installation().dataDirectory, "api-key");
      const replaced = (await readFile(path, "utf8")).trim();
      assert.notEqual(replaced, installation().apiKey);
      assert.equal((await call("GET", "/api/sandboxes", { key: replaced })).status, 200);
    });
  });

  const presetApiKey = mintApiKey();
  describeWithInstallation(
    "a preset API key among others",
    openDatabase,
    (installation) => {
      test("is changed where it is set, and not revoked", async () => {
        const { call } = installation();
        const [preset] = (await call("GET", "/api/keys")).json;
        await call("POST", "/api/keys", { body: { name: "other" } });
        const response = await call("DELETE", `/api/keys/${preset.id}`);
        assert.deepEqual([response.status, response.json.code], [409, "preset_api_key"]);
        assert.match(response.json.error, /OPENCOMPUTER_API_KEY/);
      });
    },
    { presetApiKey },
  );
}
