import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import { type Fetch, Sandbox } from "@opencomputer/sdk";
import { startContractServer } from "@opencomputer/sdk/testing";
import { everyMethod, methodNames } from "@opencomputer/sdk/testing/every-method";
import { type DocumentedApi, type Exchange, readDocumentedApi } from "./documented-api.ts";

/** Operations that no method of the SDK sends, and why. */
const sentByOthers: Readonly<Record<string, string>> = {
  "GET /api/health": "for supervisors and load balancers",
  "GET /health": "for supervisors and load balancers",
  "GET /api/docs": "for people",
  "GET /api/openapi.json": "for generators of clients, and this test",
  "GET /api/sandboxes/{id}/files/download": "what the URL of files.downloadUrl leads to",
  "PUT /api/sandboxes/{id}/files/upload": "what the URL of files.uploadUrl leads to",
};

/** Calls every method of the SDK and returns what each sent and received. */
async function callEveryMethod(
  connection: { apiUrl: string; apiKey: string },
  sandbox: Sandbox,
): Promise<Map<string, Exchange[]>> {
  const exchanges = new Map<string, Exchange[]>();
  let current: Exchange[] = [];
  const fetch: Fetch = async (url, init) => {
    const response = await globalThis.fetch(url, init);
    const type = response.headers.get("content-type") ?? undefined;
    const body = type?.startsWith("application/json") ? await response.clone().json() : null;
    current.push({ url, init, status: response.status, type, response: body });
    return response;
  };
  const ids = {
    ...{ storeId: "", projectId: "", keyId: "", sessionId: "", shellId: "", terminalId: "" },
    ...{ checkpointId: "", patchId: "", webhookId: "", deliveryId: "" },
  };
  const world = { connection: { ...connection, fetch }, sandbox, ...ids };
  for (const [name, call] of Object.entries(everyMethod)) {
    current = [];
    exchanges.set(name, current);
    await call(world);
  }
  return exchanges;
}

describe("routes, schemas and the SDK", () => {
  let scenario: Scenario;
  let api: DocumentedApi;
  let exchanges: Map<string, Exchange[]>;
  before(async () => {
    scenario = await startSharedScenario();
    api = await readDocumentedApi(scenario.connection.apiUrl);
    exchanges = await callEveryMethod(scenario.connection, await scenario.createSandbox());
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  test("every method of the SDK was called, and sent a request", async () => {
    const sandbox = await scenario.createSandbox();
    assert.ok(sandbox instanceof Sandbox);
    assert.deepEqual(Object.keys(everyMethod).toSorted(), methodNames(sandbox).toSorted());
    const silent = [...exchanges].filter(([, sent]) => sent.length === 0).map(([name]) => name);
    assert.deepEqual(silent, []);
  });

  test("every operation of the document is sent by a method, or is not for the SDK", () => {
    const sent = [...exchanges.values()].flat().map((exchange) => api.operationOf(exchange).name);
    const unsent = api.operationNames.filter((name) => !sent.includes(name));
    assert.deepEqual(unsent.toSorted(), Object.keys(sentByOthers).toSorted());
  });

  test("every request and every response matches the document", () => {
    for (const [name, sent] of exchanges) {
      for (const exchange of sent) assert.deepEqual(api.faultsOf(exchange), [], name);
    }
  });

  test("the server of the clients' own tests responds as documented", async () => {
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
    assert.throws(() => api.faultsOf({ ...exchange, url: `${exchange.url}/no/such` }), /no\/such/);
  });
});
