import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { PassThrough, Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { encodeSessionEvent } from "@opencomputer/protocol/wire";
import { fastify } from "fastify";
import { WebSocket, WebSocketServer } from "ws";
import { serveTerminal } from "./serve-terminal.ts";

const chunk = new Uint8Array(32 * 1024).fill(120);

describe("serveTerminal", () => {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  let url = "";
  before(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    url = typeof address === "object" ? `ws://127.0.0.1:${address?.port}` : "";
  });
  after(() => {
    for (const client of sockets.clients) client.terminate();
    server.close();
  });

  /** A client of a terminal that shows what `output` has. */
  async function attach(output: Readable, stallMilliseconds: number) {
    const served = once(sockets, "connection");
    const client = new WebSocket(url);
    const [[socket]]: [WebSocket[], unknown] = await Promise.all([served, once(client, "open")]);
    assert.ok(socket !== undefined);
    const typed: string[] = [];
    let uses = 0;
    serveTerminal({
      socket,
      output,
      sendInput: async (bytes) => {
        for await (const part of bytes) typed.push(String(part));
      },
      onTraffic: () => {
        uses += 1;
      },
      logger: fastify().log,
      stallMilliseconds,
    });
    return { client, socket, typed, uses: () => uses };
  }

  async function* flood(): AsyncGenerator<Uint8Array> {
    for (;;) {
      await setImmediate();
      yield encodeSessionEvent({ type: "stdout", bytes: chunk });
    }
  }

  test("a client that takes nothing is detached, and the output is let go", async () => {
    const output = Readable.from(flood());
    const { client, socket } = await attach(output, 200);
    client.pause();
    await once(socket, "close");
    while (!output.destroyed) await setImmediate();
    client.terminate();
  });

  test("a client that is slower than the program and reads on is not", async () => {
    const output = Readable.from(flood());
    const { client, socket } = await attach(output, 2_000);
    let received = 0;
    client.on("message", (data: Buffer) => {
      received += data.length;
      client.pause();
      setTimeout(() => client.resume(), 2);
    });
    while (received < 100 * chunk.length) await once(client, "message");
    assert.equal(socket.readyState, socket.OPEN);
    client.terminate();
    while (!output.destroyed) await setImmediate();
  });

  test("input without bytes is use and types nothing", async () => {
    const output = new PassThrough();
    const { client, typed, uses } = await attach(output, 1_000);
    client.send(new Uint8Array(0));
    client.send("text");
    while (typed.join("") !== "text") await setImmediate();
    assert.equal(uses(), 2);
    client.terminate();
    while (!output.destroyed) await setImmediate();
  });
});
