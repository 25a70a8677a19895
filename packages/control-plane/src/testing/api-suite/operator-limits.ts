import assert from "node:assert/strict";
import { test } from "node:test";
import { errorBodySchema, limits } from "@opencomputer/protocol/api";
import { describeWithInstallation, type OpenTestDatabase } from "./with-installation.ts";

/** What an operator sets, each with a request that is just within it and one that is not. */
export function describeOperatorLimits(openDatabase: OpenTestDatabase): void {
  const sandboxesPerKeyMax = 2;
  const requestsPerSecondMax = 50;
  const apiBodyBytesMax = 2 * limits.apiBodyBytesMax;
  const apiHeaderBytesMax = 2 * limits.apiHeaderBytesMax;
  const publicUrl = "https://oc.example.com/base";

  describeWithInstallation(
    "sandboxes of a key",
    openDatabase,
    (installation) => {
      test("as many as the limit, the next is 429, and another key of the org has its own", async () => {
        const create = (key?: string) =>
          installation().call("POST", "/api/sandboxes", key === undefined ? {} : { key });
        const responses = await Promise.all(Array.from({ length: 4 }, () => create()));
        const made = responses.filter(({ status }) => status === 201);
        assert.equal(made.length, sandboxesPerKeyMax);
        for (const { status, json } of responses.filter((response) => !made.includes(response))) {
          assert.deepEqual([status, json.code], [429, "too_many_requests"]);
          assert.match(json.error, /OPENCOMPUTER_SANDBOXES_PER_KEY_MAX/);
        }
        const second = await installation().call("POST", "/api/keys", { body: { name: "ci" } });
        assert.equal((await create(second.json.key)).status, 201, "another key of the same org");
        await installation().call("DELETE", `/api/sandboxes/${made[0]?.json.sandboxID}`);
        assert.equal((await create()).status, 201, "in place of a killed one");
        assert.equal((await create()).status, 429);
      });
    },
    { sandboxesPerKeyMax },
  );

  describeWithInstallation(
    "requests of a key in a second",
    openDatabase,
    (installation) => {
      test("many at once get responses up to the limit, the rest are 429 with Retry-After", async () => {
        const responses = await Promise.all(
          Array.from({ length: 4 * requestsPerSecondMax }, () =>
            installation().call("GET", "/api/tags"),
          ),
        );
        const refused = responses.filter(({ status }) => status === 429);
        assert.ok(responses.length - refused.length >= requestsPerSecondMax);
        assert.ok(refused.length > 0);
        for (const { headers, json } of refused) {
          assert.deepEqual([headers.get("retry-after"), json.code], ["1", "too_many_requests"]);
        }
        const key = await installation().secondOrgKey();
        assert.equal((await installation().call("GET", "/api/tags", { key })).status, 200);
        assert.equal((await installation().call("GET", "/health", { key: null })).status, 200);
      });
    },
    { requestsPerSecondMax },
  );

  describeWithInstallation(
    "sizes of a request",
    openDatabase,
    (installation) => {
      const store = (bytes: number) => {
        const body = JSON.stringify({ name: "s", ignored: "" });
        const rawBody = body.replace('""', `"${"x".repeat(bytes - body.length)}"`);
        return installation().call("POST", "/api/secret-stores", { rawBody });
      };

      test("a JSON body of the limit that is set, and one byte more", async () => {
        assert.equal((await store(apiBodyBytesMax)).status, 201);
        const over = await store(apiBodyBytesMax + 1);
        assert.deepEqual([over.status, over.json.code], [413, "body_too_large"]);
        assert.match(over.json.error, new RegExp(`${apiBodyBytesMax}.*API_BODY_BYTES_MAX`));
      });

      test("a file of any size", async () => {
        const { sandboxID } = (await installation().call("POST", "/api/sandboxes")).json;
        const path = `/api/sandboxes/${sandboxID}/files?path=/swallow/f`;
        const rawBody = new Uint8Array(apiBodyBytesMax + 1);
        assert.equal((await installation().call("PUT", path, { rawBody })).status, 204);
      });

      test("a head within what is set, and one over it", async () => {
        const send = (bytes: number) =>
          installation().call("GET", "/api/tags", { headers: { "x-long": "a".repeat(bytes) } });
        assert.equal((await send(apiHeaderBytesMax - 1024)).status, 200);
        const over = await send(apiHeaderBytesMax);
        const body = errorBodySchema.strict().parse(over.json);
        assert.deepEqual([over.status, body.code], [431, "header_too_large"]);
        assert.match(body.error, new RegExp(`${apiHeaderBytesMax}.*API_HEADER_BYTES_MAX`));
      });
    },
    { apiBodyBytesMax, apiHeaderBytesMax },
  );

  describeWithInstallation(
    "the public URL",
    openDatabase,
    (installation) => {
      test("is where signed URLs lead, whatever the Host and however forwarded", async () => {
        const { sandboxID } = (await installation().call("POST", "/api/sandboxes")).json;
        const path = `/api/sandboxes/${sandboxID}/files`;
        const response = await installation().call("POST", `${path}/upload-url`, {
          body: { path: "/f" },
          headers: { "x-forwarded-host": "attacker.example", "x-forwarded-proto": "http" },
        });
        const url = new URL(response.json.url);
        assert.ok(url.href.startsWith(`${publicUrl}${path}/upload?`), url.href);
        const behindProxy = url.href.slice(publicUrl.length);
        const rawBody = new Uint8Array(3);
        const put = await installation().call("PUT", behindProxy, { key: null, rawBody });
        assert.equal(put.status, 204);
      });
    },
    { publicUrl },
  );

  describeWithInstallation("without a public URL", openDatabase, (installation) => {
    test("signed URLs lead where the caller reached the API, and no forwarding header counts", async () => {
      const { sandboxID } = (await installation().call("POST", "/api/sandboxes")).json;
      const response = await installation().call(
        "POST",
        `/api/sandboxes/${sandboxID}/files/download-url`,
        {
          body: { path: "/f" },
          headers: { "x-forwarded-host": "attacker.example", "x-forwarded-proto": "https" },
        },
      );
      assert.equal(new URL(response.json.url).origin, installation().url());
    });
  });
}
