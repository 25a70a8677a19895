import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { OpenComputerError } from "./open-computer-error.ts";
import { Sandbox } from "./sandbox/sandbox.ts";
import { everyMethod, type MethodWorld, methodNames } from "./testing/every-method.ts";
import { type ContractServer, startContractServer } from "./testing/start-contract-server.ts";

describe("every method", () => {
  let server: ContractServer;
  let world: MethodWorld;
  before(async () => {
    server = await startContractServer();
    const connection = { apiKey: server.apiKey, apiUrl: server.url };
    const sandbox = await Sandbox.create(connection);
    const id = "00000000-0000-4000-8000-000000000000";
    const ids = {
      storeId: id,
      projectId: id,
      keyId: id,
      sessionId: "exec-0",
      shellId: "exec-0",
      terminalId: "pty-0",
      checkpointId: id,
      patchId: id,
      webhookId: id,
      deliveryId: id,
    };
    world = { connection, sandbox, ...ids };
  });
  after(() => server.close());

  test("is in the list of them", () => {
    assert.deepEqual(Object.keys(everyMethod).toSorted(), methodNames(world.sandbox).toSorted());
  });

  for (const [name, call] of Object.entries(everyMethod)) {
    test(`${name} rejects with the reason of an aborted signal, and sends nothing`, async () => {
      server.requests.length = 0;
      const reason = new Error("not any more");
      await assert.rejects(call({ ...world }, AbortSignal.abort(reason)), reason);
      assert.deepEqual(server.requests, []);
    });

    test(`${name} rejects with the reason of a signal aborted while it waits`, async () => {
      const controller = new AbortController();
      const reason = new Error("enough");
      server.interceptNext(() => controller.abort(reason));
      await assert.rejects(call({ ...world }, controller.signal), reason);
    });

    test(`${name} carries the service's code and status`, async () => {
      server.interceptNext((request, response) => {
        request.resume();
        response.writeHead(409).end('{"error":"not now","code":"some_conflict"}');
      });
      await assert.rejects(call({ ...world }), (error) => {
        assert.ok(error instanceof OpenComputerError);
        const { code, status, message } = error;
        assert.deepEqual([code, status, message], ["some_conflict", 409, "not now"]);
        return true;
      });
    });
  }
});
