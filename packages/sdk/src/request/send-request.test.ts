import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { ConnectionOptions } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import type { Fetch, FetchInit } from "../platform/fetch.ts";
import { platformFetch } from "../platform/node.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { SecretStore } from "../secret-store.ts";
import { type ContractServer, startContractServer } from "../testing/start-contract-server.ts";

describe("sendRequest", () => {
  let server: ContractServer;
  let connection: ConnectionOptions;
  before(async () => {
    server = await startContractServer();
    connection = { apiKey: server.apiKey, apiUrl: server.url };
  });
  beforeEach(() => {
    server.requests.length = 0;
  });
  after(() => server.close());

  test("repeats a GET once after 503", async () => {
    server.interceptNext((_, response) => response.writeHead(503).end("{}"));
    assert.deepEqual(await SecretStore.list(connection), []);
    assert.equal(server.requests.length, 2);
  });

  test("repeats a GET once after a reset, and then gives up", async () => {
    server.interceptNext((request) => request.socket.destroy());
    assert.deepEqual(await SecretStore.list(connection), []);
    server.interceptNext((request) => request.socket.destroy());
    server.interceptNext((request) => request.socket.destroy());
    await assert.rejects(SecretStore.list(connection), { code: "connection_failed" });
    assert.equal(server.requests.length, 4);
  });

  test("repeats a GET whose body breaks off", async () => {
    server.interceptNext((request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("[", () => request.socket.destroy());
    });
    assert.deepEqual(await SecretStore.list(connection), []);
  });

  test("never repeats a create", async () => {
    server.interceptNext((_, response) => response.writeHead(503).end("{}"));
    await assert.rejects(Sandbox.create(connection), { status: 503 });
    server.interceptNext((request) => request.socket.destroy());
    await assert.rejects(Sandbox.create(connection), {
      code: "connection_failed",
      message: /may have been carried out/,
    });
    assert.equal(server.requests.length, 2);
  });

  test("waits while the service is starting, also with a create, and reports what it does", async () => {
    const starting = (details: unknown) => {
      const body = { error: "The worker is not ready yet: booting", code: "worker_unavailable" };
      server.interceptNext((_, response) =>
        response.writeHead(503).end(JSON.stringify({ ...body, details })),
      );
    };
    const progress: string[] = [];
    const onStarting = (text: string) => progress.push(text);
    starting({ retryAfterSeconds: 0 });
    starting({ retryAfterSeconds: 0 });
    const sandbox = await Sandbox.create({ ...connection, onStarting });
    assert.deepEqual(progress, Array(2).fill("The worker is not ready yet: booting"));
    assert.equal(server.requests.length, 3);
    starting({ retryAfterSeconds: 0 });
    starting({ retryAfterSeconds: 0 });
    await sandbox.kill();
    assert.equal(progress.splice(2).length, 2);

    starting(undefined);
    await assert.rejects(Sandbox.create({ ...connection, onStarting }), {
      code: "worker_unavailable",
    });
    assert.equal(progress.length, 2, "a response without a time to retry after is not waited for");

    starting({ retryAfterSeconds: 30 });
    const controller = new AbortController();
    const created = Sandbox.create({
      ...{ ...connection, signal: controller.signal },
      onStarting: () => controller.abort(new Error("enough")),
    });
    await assert.rejects(created, /enough/);
  });

  test("does not repeat after a response that a repetition cannot change", async () => {
    server.interceptNext((_, response) => response.writeHead(500).end("{}"));
    await assert.rejects(SecretStore.list(connection), { status: 500 });
    assert.equal(server.requests.length, 1);
  });

  test("takes a lost response to a deletion and then a 404 as success", async () => {
    const store = await SecretStore.create({ name: "lost", ...connection });
    server.interceptNext((request) => {
      server.secrets.stores.delete(store.id);
      request.socket.destroy();
    });
    await SecretStore.delete(store.id, connection);
  });

  test("reports a 404 to a deletion that was not lost", async () => {
    await assert.rejects(SecretStore.delete("absent", connection), { code: "not_found" });
    server.interceptNext((_, response) => response.writeHead(503).end("{}"));
    await assert.rejects(SecretStore.delete("absent", connection), { code: "not_found" });
  });

  test("carries the service's code, status, text and details", async () => {
    const body = {
      ...{ error: "the guest uses more", code: "oom_floor" },
      ...{ remediation: "oc sandbox scale sb-a 512", details: { floorMB: 512 } },
    };
    server.interceptNext((_, response) => response.writeHead(409).end(JSON.stringify(body)));
    await assert.rejects(SecretStore.list(connection), (error) => {
      assert.ok(error instanceof OpenComputerError);
      const { code, status, message, remediation, details } = error;
      assert.deepEqual({ error: message, code, remediation, details }, body);
      assert.equal(status, 409);
      return true;
    });
  });

  test("reports a response that is not one of OpenComputer", async () => {
    for (const [status, body] of [
      [200, "<html>hello</html>"],
      [200, '[{"id":1}]'],
      [404, "<html>not here</html>"],
    ] as const) {
      server.interceptNext((_, response) =>
        response.writeHead(status, { "content-type": "text/html" }).end(body),
      );
      await assert.rejects(SecretStore.list(connection), {
        code: "unexpected_response",
        status,
        message: /text\/html.*API URL/,
      });
    }
  });

  test("follows no redirect, so that the key stays with the service", async () => {
    server.interceptNext((_, response) =>
      response.writeHead(307, { location: "/api/secret-stores" }).end(),
    );
    await assert.rejects(SecretStore.list(connection), {
      code: "unexpected_response",
      status: 307,
    });
    assert.equal(server.requests.length, 1);
  });

  test("sends a streamed body without a copy: no redirect is followed, and no window asked", async () => {
    const inits: FetchInit[] = [];
    const fetch: Fetch = async (url, init) => {
      inits.push(init);
      return platformFetch(url, init);
    };
    const { files } = await Sandbox.create({ ...connection, fetch });
    await files.writeStream("/f", new Blob(["bytes"]).stream());
    const { redirect, window, duplex } = inits.at(-1) ?? {};
    assert.deepEqual(
      { redirect, window, duplex },
      { redirect: "error", window: null, duplex: "half" },
    );
    assert.equal(await files.read("/f"), "bytes");
  });

  test("rejects with the reason of the caller's signal", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    server.interceptNext(() => controller.abort(reason));
    await assert.rejects(SecretStore.list({ ...connection, signal: controller.signal }), reason);
    await assert.rejects(SecretStore.list({ ...connection, signal: controller.signal }), reason);
    assert.equal(server.requests.length, 1);
  });

  test("names the URL and the way out when nothing listens", async () => {
    const gone = await startContractServer();
    await gone.close();
    await assert.rejects(SecretStore.list({ apiKey: gone.apiKey, apiUrl: gone.url }), (error) => {
      assert.ok(error instanceof OpenComputerError);
      assert.equal(error.code, "connection_failed");
      assert.ok(error.message.includes(`${gone.url}/api (ECONNREFUSED)`));
      assert.match(error.message, /npm run serve/);
      return true;
    });
  });

  test("refuses a wrong key as the service does", async () => {
    await assert.rejects(SecretStore.list({ ...connection, apiKey: "osb_other" }), {
      code: "invalid_api_key",
      status: 403,
    });
  });
});
