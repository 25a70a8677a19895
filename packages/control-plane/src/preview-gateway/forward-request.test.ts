import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { forwardRequest } from "./forward-request.ts";
import { TunnelAgent } from "./tunnel-agent.ts";

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

/** A visitor's request that is forwarded to a server which sends this; resolves with what arrives. */
async function visit(t: TestContext, serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const sandbox = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("data", () => serve(socket));
  });
  const sandboxPort = await portOf(sandbox);
  const agent = new TunnelAgent(async () => connect(sandboxPort, "127.0.0.1"));
  const gateway = createServer((_request, response) => {
    const target = { sandboxId: "sb-a", machineId: "m", port: 80 };
    const signal = new AbortController().signal;
    const request = { target, method: "GET", path: "/", fields: ["Host", "a"], body: null };
    forwardRequest(agent, { ...request, host: "a", signal }, response).catch((error: Error) =>
      response.writeHead(502).end(error.message),
    );
  });
  const visitor = connect(await portOf(gateway), "127.0.0.1");
  t.after(() => {
    visitor.destroy();
    for (const socket of sockets) socket.destroy();
    agent.destroy();
    sandbox.close();
    gateway.close();
  });
  visitor.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  let received = "";
  for await (const bytes of visitor) received += String(bytes);
  return received;
}

const hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n";

test("forwardRequest passes interim responses on", async (t) => {
  const received = await visit(t, (socket) => {
    socket.write(`${hint.repeat(3)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`);
  });
  assert.equal(received.split("103 Early Hints").length - 1, 3);
  assert.match(received, /HTTP\/1\.1 200 OK[\s\S]*ok$/);
});

test("forwardRequest ends a server that sends interim responses without end", async (t) => {
  let closed: Promise<unknown> | undefined;
  const received = await visit(t, (socket) => {
    closed = once(socket, "close");
    const send = (): void => {
      if (socket.writable) socket.write(hint.repeat(100), () => setImmediate(send));
    };
    send();
  });
  await closed;
  assert.equal(received.split("103 Early Hints").length - 1, 64);
  assert.match(received, /HTTP\/1\.1 502 [\s\S]*over 64 interim responses/);
});

test("forwardRequest sends nothing for a visitor who has left already", async (t) => {
  let isOpened = false;
  const agent = new TunnelAgent(async () => {
    isOpened = true;
    throw new Error("opened");
  });
  const gateway = createServer();
  const visitor = connect(await portOf(gateway), "127.0.0.1");
  t.after(() => {
    visitor.destroy();
    gateway.close();
  });
  visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const [, response] = await once(gateway, "request");
  visitor.destroy();
  await once(response, "close");
  const target = { sandboxId: "sb-a", machineId: "m", port: 80 };
  const signal = new AbortController().signal;
  const request = { target, method: "GET", path: "/", fields: ["Host", "a"], body: null };
  await forwardRequest(agent, { ...request, host: "a", signal }, response);
  assert.equal(isOpened, false);
});
