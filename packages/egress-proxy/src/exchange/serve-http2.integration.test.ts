import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { describe, type TestContext, test } from "node:test";
import { tokenOf } from "../testing/http-policy.ts";
import { startHttpMemoryProcess } from "../testing/start-http-memory-process.ts";

const mebibyte = 1024 * 1024;
const streamedMebibytes = 64;
const warmUpMebibytes = 16;
const block = Buffer.alloc(mebibyte, "x");

/** An upstream that echoes bodies, or fills without end. */
function serve(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
  stream.on("error", () => stream.destroy());
  stream.respond({ ":status": 200 });
  if (headers[":path"] !== "/endless") {
    stream.pipe(stream);
    return;
  }
  const fill = () => {
    while (stream.writable && stream.write(block));
  };
  stream.on("drain", fill);
  fill();
}

/** A session of a guest with the data path, which is a separate process so that its memory can be measured. */
async function start(t: TestContext) {
  const server = http2.createServer();
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => sockets.add(socket));
  server.on("session", (opened) => opened.on("error", () => opened.destroy()));
  server.on("stream", serve);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address !== "string");
  const memoryProcess = await startHttpMemoryProcess(address.port, "h2");
  const { port, startMeasuring, assertBounded } = memoryProcess;
  const session = http2.connect("https://api.example.com", {
    createConnection: () => net.connect(port, "127.0.0.1"),
  });
  session.on("error", () => session.destroy());
  t.after(async () => {
    session.destroy();
    for (const socket of sockets) socket.destroy();
    server.close();
    await memoryProcess.end();
  });
  return { session, startMeasuring, assertBounded };
}

describe("serveHttp2: memory", () => {
  test("an upload and its echo stay within bounds", async (t) => {
    const { session, startMeasuring, assertBounded } = await start(t);
    const stream = session.request({ ":method": "POST" });
    let received = 0;
    stream.on("data", (part: Buffer) => {
      received += part.length;
    });
    const part = Buffer.from(block);
    part.write(tokenOf("a"), 1000);
    for (let sent = 0; sent < streamedMebibytes; sent += 1) {
      if (sent === warmUpMebibytes) await startMeasuring();
      if (!stream.write(part)) await once(stream, "drain");
    }
    stream.end();
    await once(stream, "close");
    // Tokens have become shorter values, and then tokens again.
    assert.equal(received, streamedMebibytes * mebibyte);
    await assertBounded();
  });

  test("guests that do not read also stop the upstream", async (t) => {
    const { session, startMeasuring, assertBounded } = await start(t);
    const streams = Array.from({ length: 20 }, () => session.request({ ":path": "/endless" }));
    await Promise.all(
      streams.map(async (stream) => {
        await once(stream, "response");
        stream.once("data", () => stream.pause());
        await once(stream, "pause");
      }),
    );
    await startMeasuring();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await assertBounded();
  });
});
