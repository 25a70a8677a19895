import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { abortWhenClosed } from "./abort-when-closed.ts";

/** A client that has sent a request, and the response that it waits for. */
async function scenario(t: TestContext) {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => {
    client.destroy();
    server.close();
  });
  client.on("error", () => undefined);
  client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const [, response]: [unknown, ServerResponse] = (await once(server, "request")) as [
    unknown,
    ServerResponse,
  ];
  return { client, response };
}

test("abortWhenClosed aborts when the caller leaves before the response", async (t) => {
  const { client, response } = await scenario(t);
  const signal = abortWhenClosed(response);
  assert.equal(signal.aborted, false);
  client.destroy();
  await once(signal, "abort");
  assert.match(String(signal.reason), /closed its connection/);
});

test("abortWhenClosed is aborted when the caller has left already", async (t) => {
  const { client, response } = await scenario(t);
  client.destroy();
  await once(response, "close");
  assert.equal(abortWhenClosed(response).aborted, true);
});

test("abortWhenClosed does not abort once the caller has the whole response", async (t) => {
  const { client, response } = await scenario(t);
  client.resume();
  const signal = abortWhenClosed(response);
  response.end("done");
  await once(response, "close");
  assert.equal(signal.aborted, false);
  assert.equal(abortWhenClosed(response).aborted, false);
});
