import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { fastify } from "fastify";
import { respondWithList } from "../respond/json-list.ts";
import { createLargeMessageHooks } from "./count-large-messages.ts";

const messageBytes = 32 * 1024 * 1024;

/** A server that has room for two large messages, and how it is called. */
async function scenario(t: TestContext) {
  const app = fastify({ bodyLimit: messageBytes });
  app.decorateRequest("orgId", "");
  app.addHook("onRequest", async (request, { raw }) => {
    request.orgId = String(request.headers["x-org"]);
    if (request.headers["x-leaves"] !== undefined && !raw.destroyed) await once(raw, "close");
  });
  const warnings: object[] = [];
  const log = { warn: (details: object) => void warnings.push(details) };
  const hooks = createLargeMessageHooks(log, 2 * messageBytes);
  app.addHook("preParsing", hooks.preParsing);
  app.addHook("onSend", hooks.onSend);
  app.get("/large", async () => "x".repeat(messageBytes));
  app.get("/list", async (_request, reply) => {
    async function* items() {
      for (;;) yield "x".repeat(1024 * 1024);
    }
    return respondWithList(reply, { items: items(), heldBytesMax: messageBytes });
  });
  app.post("/large", async () => "received");
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const clients: Socket[] = [];
  t.after(async () => {
    for (const client of clients) client.destroy();
    await app.close();
  });
  function open(org: string, head: string): Socket {
    const client = connect(Number(new URL(url).port), "127.0.0.1");
    clients.push(client.on("error", () => undefined));
    client.write(`${head} HTTP/1.1\r\nHost: a\r\nX-Org: ${org}\r\nConnection: close\r\n`);
    return client;
  }
  return { open, warnings };
}

/** Reads all that is left; resolves when the connection has ended. */
async function readAll(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  client.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!client.closed) await once(client, "close");
  return Buffer.concat(chunks);
}

test("a list counts with what it holds", async (t) => {
  const { open, warnings } = await scenario(t);
  for (let count = 0; count < 3; count += 1) {
    const client = open("a", "GET /list");
    client.write("\r\n");
    await once(client, "readable");
  }
  assert.deepEqual(warnings, [{ bytes: messageBytes, route: "/list" }]);
});

test("the client that has not read its response for the longest is disconnected", async (t) => {
  const { open, warnings } = await scenario(t);
  const clients: Socket[] = [];
  for (const org of ["a", "a", "b"]) {
    const client = open(org, "GET /large");
    client.write("\r\n");
    // It reads no more than the beginning.
    await once(client, "readable");
    clients.push(client);
  }
  assert.deepEqual(warnings, [{ bytes: messageBytes, route: "/large" }]);
  const [first, ...others] = await Promise.all(clients.map(readAll));
  assert.ok((first?.length ?? 0) < messageBytes);
  for (const { length } of others) assert.ok(length > messageBytes);
});

test("the client that has sent its request for the longest is disconnected", async (t) => {
  const { open, warnings } = await scenario(t);
  const head = `Content-Type: application/json\r\nContent-Length: ${messageBytes}\r\n\r\n"`;
  const beginning = async (org: string) => {
    const client = open(org, "POST /large");
    client.write(head);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return client;
  };
  const first = await beginning("a");
  const second = await beginning("a");
  assert.deepEqual(warnings, []);
  const other = await beginning("b");
  assert.deepEqual(warnings, [{ bytes: messageBytes, route: "/large" }]);
  assert.equal((await readAll(first)).length, 0);
  for (const client of [second, other]) {
    client.write(`${"x".repeat(messageBytes - 2)}"`);
    assert.match((await readAll(client)).toString("latin1"), /200 OK[\s\S]*received$/);
  }
  const small = open("a", "POST /large");
  small.write('Content-Type: application/json\r\nContent-Length: 2\r\n\r\n""');
  assert.match((await readAll(small)).toString("latin1"), /received$/);
  assert.equal(warnings.length, 1);
});

test("a client that left before its request was admitted is not counted", async (t) => {
  const { open, warnings } = await scenario(t);
  for (const leaves of ["X-Leaves: 1\r\n", "X-Leaves: 1\r\n", ""]) {
    const client = open("a", "POST /large");
    client.write(
      `${leaves}Content-Type: application/json\r\nContent-Length: ${messageBytes}\r\n\r\n`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (leaves !== "") client.destroy();
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  const last = open("a", "POST /large");
  last.write(`Content-Type: application/json\r\nContent-Length: ${messageBytes}\r\n\r\n"`);
  last.write(`${"x".repeat(messageBytes - 2)}"`);
  assert.match((await readAll(last)).toString("latin1"), /received$/);
  assert.deepEqual(warnings, []);
});
