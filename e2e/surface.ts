import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Fetch, type FetchInit, Sandbox } from "@opencomputer/sdk";
import { startContractServer } from "@opencomputer/sdk/testing";
import { everyMethod, methodNames } from "@opencomputer/sdk/testing/every-method";
import type { DocumentedApi, Exchange } from "./documented-api.ts";

/** Operations that no method of the SDK sends, and why. */
const sentByOthers: Readonly<Record<string, string>> = {
  "GET /api/health": "for supervisors and load balancers",
  "GET /health": "for supervisors and load balancers",
  "GET /api/docs": "for people",
  "GET /api/openapi.json": "for generators of clients, and this test",
  "GET /api/sandboxes/{id}/files/download": "what the URL of files.downloadUrl leads to",
  "PUT /api/sandboxes/{id}/files/upload": "what the URL of files.uploadUrl leads to",
};

/** Sends a request of the SDK. */
export type Send = (url: string, init: FetchInit) => Promise<Response>;

/** What each method of the SDK has sent and received, by its name. */
export type Exchanges = ReadonlyMap<string, readonly Exchange[]>;

/** Calls every method of the SDK, with requests sent by `send`, and returns what each sent and received. */
export async function callEveryMethod(
  connection: { apiUrl: string; apiKey: string },
  sandbox: Sandbox,
  send: Send = fetch,
): Promise<Exchanges> {
  const exchanges = new Map<string, Exchange[]>();
  let current: Exchange[] = [];
  const recordingFetch: Fetch = async (url, init) => {
    const response = await send(url, init);
    const type = response.headers.get("content-type") ?? undefined;
    const body = type?.startsWith("application/json") ? await response.clone().json() : null;
    current.push({ url, init, status: response.status, type, response: body });
    return response;
  };
  const ids = {
    ...{ storeId: "", projectId: "", keyId: "", sessionId: "", shellId: "", terminalId: "" },
    ...{ checkpointId: "", patchId: "", webhookId: "", deliveryId: "" },
  };
  const world = { connection: { ...connection, fetch: recordingFetch }, sandbox, ...ids };
  for (const [name, call] of Object.entries(everyMethod)) {
    current = [];
    exchanges.set(name, current);
    await call(world);
  }
  return exchanges;
}

/**
 * Tests that routes, schemas and the SDK agree, inside a suite that has called every method: that
 * takes long, since it boots machines, so it is done once for all that looks at the exchanges.
 *
 * @param used What there is by the time these tests run.
 */
export function describeSurface(
  used: () => { api: DocumentedApi; exchanges: Exchanges; sandbox: Sandbox },
): void {
  describe("routes, schemas and the SDK", () => {
    test("every method of the SDK was called, and sent a request", () => {
      const { exchanges, sandbox } = used();
      assert.ok(sandbox instanceof Sandbox);
      assert.deepEqual(Object.keys(everyMethod).toSorted(), methodNames(sandbox).toSorted());
      const silent = [...exchanges].filter(([, sent]) => sent.length === 0).map(([name]) => name);
      assert.deepEqual(silent, []);
    });

    test("every operation of the document is sent by a method, or is not for the SDK", () => {
      const { api, exchanges } = used();
      const sent = [...exchanges.values()].flat().map((exchange) => api.operationOf(exchange).name);
      const unsent = api.operationNames.filter((name) => !sent.includes(name));
      assert.deepEqual(unsent.toSorted(), Object.keys(sentByOthers).toSorted());
    });

    test("every request and every response matches the document", () => {
      const { api, exchanges } = used();
      for (const [name, sent] of exchanges) {
        for (const exchange of sent) assert.deepEqual(api.faultsOf(exchange), [], name);
      }
    });

    test("the server of the clients' own tests responds as documented", async () => {
      const { api } = used();
      const server = await startContractServer();
      try {
        const connection = { apiUrl: server.url, apiKey: server.apiKey };
        const sandbox = await Sandbox.create(connection);
        for (const [name, sent] of await callEveryMethod(connection, sandbox)) {
          for (const exchange of sent) assert.deepEqual(api.faultsOf(exchange), [], name);
        }
      } finally {
        await server.close();
      }
    });

    test("the document refuses what the API refuses", () => {
      const { api, exchanges } = used();
      const [exchange] = exchanges.get("Sandbox.create") ?? [];
      assert.ok(exchange !== undefined);
      const withBody = (body: unknown) =>
        api.faultsOf({ ...exchange, init: { ...exchange.init, body: JSON.stringify(body) } });
      assert.deepEqual(withBody({ memoryMB: 512 }), []);
      assert.match(withBody({ memoryMB: "512" }).join(), /body\/memoryMB/);
      assert.match(withBody({ memoryMb: 512 }).join(), /unevaluated/);
      assert.match(api.faultsOf({ ...exchange, status: 200 }).join(), /response 200/);
      assert.match(api.faultsOf({ ...exchange, response: {} }).join(), /sandboxID/);
      const url = `${exchange.url}?color=red`;
      assert.match(api.faultsOf({ ...exchange, url }).join(), /color/);
      assert.throws(
        () => api.faultsOf({ ...exchange, url: `${exchange.url}/no/such` }),
        /no\/such/,
      );
    });
  });
}
