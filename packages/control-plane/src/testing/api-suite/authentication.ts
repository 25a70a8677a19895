import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { apiKeyPattern } from "@opencomputer/protocol/api";
import { apiKeys } from "../../database/schema.ts";
import { mintApiKey } from "../../orgs/api-key-repository.ts";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

export function describeAuthentication(openDatabase: OpenTestDatabase): void {
  describeWithInstallation("API key", openDatabase, (installation) => {
    test("the first start writes a key of mode 0600 that opens the API", async () => {
      const path = join(installation().dataDirectory, "api-key");
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      assert.match((await readFile(path, "utf8")).trim(), apiKeyPattern);
      assert.equal((await installation().call("GET", "/api/sandboxes")).status, 200);
    });

    test("a missing key is 401 and an unknown one 403, with these texts", async () => {
      const missing = await installation().call("GET", "/api/sandboxes", { key: null });
      assert.deepEqual(
        [missing.status, missing.json],
        [401, { error: "missing API key", code: "missing_api_key" }],
      );
      for (const key of [mintApiKey(), "x", installation().apiKey.slice(0, -1)]) {
        const unknown = await installation().call("GET", "/api/sandboxes", { key });
        assert.deepEqual(
          [unknown.status, unknown.json],
          [403, { error: "invalid API key", code: "invalid_api_key" }],
        );
      }
    });

    test("the database holds no key", async () => {
      const rows = JSON.stringify(await installation().database.select().from(apiKeys));
      assert.ok(!rows.includes(installation().apiKey.slice(4)));
    });

    test("a restart keeps the key", async () => {
      await installation().restart();
      assert.equal((await installation().call("GET", "/api/sandboxes")).status, 200);
    });

    test("the description of the API needs no key", async () => {
      for (const path of ["/api/openapi.json", "/api/docs"]) {
        const response = await installation().call("GET", path, { key: null });
        assert.equal(response.status, 200, path);
        assert.ok(!response.text.includes(installation().apiKey.slice(4)));
      }
    });

    test("health needs no key", async () => {
      const health = await installation().call("GET", "/health", { key: null });
      assert.equal(health.status, 200);
      assert.equal(health.json.status, "ok");
    });
  });

  const presetApiKey = mintApiKey();
  describeWithInstallation(
    "preset API key",
    openDatabase,
    (installation) => {
      test("opens the API, and no key is written", async () => {
        assert.equal((await installation().call("GET", "/api/sandboxes")).status, 200);
        await assert.rejects(stat(join(installation().dataDirectory, "api-key")), {
          code: "ENOENT",
        });
      });

      test("a changed preset key replaces the one before it", async () => {
        const next = mintApiKey();
        await installation().restart({ presetApiKey: next });
        const withNext = await installation().call("GET", "/api/sandboxes", { key: next });
        assert.equal(withNext.status, 200);
        assert.equal((await installation().call("GET", "/api/sandboxes")).status, 403);
      });
    },
    { presetApiKey },
  );

  describeWithInstallation("sandbox token", openDatabase, (installation) => {
    const create = async () => (await installation().call("POST", "/api/sandboxes")).json;
    const bearer = (token: string) => ({
      key: null,
      headers: { authorization: `Bearer ${token}` },
    });

    test("opens the data routes of its sandbox", async () => {
      const { sandboxID, token } = await create();
      const path = `/api/sandboxes/${sandboxID}`;
      const run = await installation().call("POST", `${path}/exec/run`, {
        ...bearer(token),
        body: { cmd: "true" },
      });
      assert.equal(run.status, 200);
      for (const route of ["files/list?path=/", "files?path=/absent"]) {
        const { status } = await installation().call("GET", `${path}/${route}`, bearer(token));
        assert.notEqual(status, 401);
        assert.notEqual(status, 403);
      }
    });

    test("does not open those of another sandbox of the same org", async () => {
      const [one, other] = [await create(), await create()];
      const response = await installation().call(
        "POST",
        `/api/sandboxes/${other.sandboxID}/exec/run`,
        { ...bearer(one.token), body: { cmd: "true" } },
      );
      assert.deepEqual([response.status, response.json.code], [403, "forbidden"]);
    });

    test("does not open any other route", async () => {
      const { sandboxID, token } = await create();
      const others: [string, string][] = [
        ["GET", `/api/sandboxes/${sandboxID}`],
        ["DELETE", `/api/sandboxes/${sandboxID}`],
        ["POST", `/api/sandboxes/${sandboxID}/timeout`],
        ["GET", `/api/sandboxes/${sandboxID}/allowed-hosts`],
        ["GET", "/api/sandboxes"],
        ["GET", "/api/secret-stores"],
      ];
      for (const [method, path] of others) {
        const { status } = await installation().call(method, path, bearer(token));
        assert.equal(status, 401, `${method} ${path}`);
      }
    });

    test("is worth nothing once the sandbox is killed", async () => {
      const { sandboxID, token } = await create();
      await installation().call("DELETE", `/api/sandboxes/${sandboxID}`);
      const response = await installation().call("POST", `/api/sandboxes/${sandboxID}/exec/run`, {
        ...bearer(token),
        body: { cmd: "true" },
      });
      assert.deepEqual([response.status, response.json.code], [409, "sandbox_not_running"]);
    });
  });
}
