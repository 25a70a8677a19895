import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { describe, type TestContext, test } from "node:test";
import { createGzip } from "node:zlib";
import { tokenOf } from "../testing/http-policy.ts";
import { startHttpMemoryProcess } from "../testing/start-http-memory-process.ts";

const mebibyte = 1024 * 1024;
/** Three times by how much the process may grow. */
const streamedMebibytes = 96;
/** What passes before memory is measured: code is compiled and buffers are allocated by then. */
const warmUpMebibytes = 16;
const block = Buffer.alloc(mebibyte, "x");

/** An upstream that echoes bodies, fills without end, or sends little that decodes to much. */
function upstream(request: http.IncomingMessage, response: http.ServerResponse): void {
  if (request.url === "/endless") {
    const fill = () => {
      while (response.write(block));
    };
    response.on("drain", fill);
    fill();
  } else if (request.url === "/bomb") {
    response.setHeader("Content-Encoding", "gzip");
    const gzip = createGzip();
    gzip.pipe(response);
    void (async () => {
      for (let sent = 0; sent < streamedMebibytes; sent += 1) {
        if (!gzip.write(block)) await once(gzip, "drain");
      }
      gzip.end();
    })();
  } else {
    request.pipe(response);
  }
}

/** A guest's socket to the data path, which is a separate process so that its memory can be measured. */
async function start(t: TestContext) {
  const server = http.createServer(upstream);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address !== "string");
  const memoryProcess = await startHttpMemoryProcess(address.port);
  const { port, startMeasuring, assertBounded } = memoryProcess;
  const guest = net.connect(port, "127.0.0.1");
  t.after(async () => {
    guest.destroy();
    server.closeAllConnections();
    server.close();
    await memoryProcess.end();
  });
  return { guest, startMeasuring, assertBounded };
}

async function write(socket: net.Socket, bytes: Buffer | string): Promise<void> {
  if (!socket.write(bytes)) await once(socket, "drain");
}

function countReceived(socket: net.Socket): () => number {
  let received = 0;
  socket.on("data", (bytes: Buffer) => {
    received += bytes.length;
  });
  return () => received;
}

describe("serveConnection: memory", () => {
  for (const kind of ["chunked", "length"] as const) {
    test(`an upload with a ${kind} body and its echo stay within bounds`, async (t) => {
      const { guest, startMeasuring, assertBounded } = await start(t);
      const received = countReceived(guest);
      const part = Buffer.from(block);
      part.write(tokenOf("a"), 1000);
      const length = streamedMebibytes * mebibyte;
      const framing =
        kind === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
      await write(
        guest,
        `POST / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n${framing}\r\n\r\n`,
      );
      for (let sent = 0; sent < streamedMebibytes; sent += 1) {
        if (sent === warmUpMebibytes) await startMeasuring();
        if (kind === "chunked") await write(guest, `${part.length.toString(16)}\r\n`);
        await write(guest, part);
        if (kind === "chunked") await write(guest, "\r\n");
      }
      if (kind === "chunked") await write(guest, "0\r\n\r\n");
      await once(guest, "close");
      assert.ok(received() >= length, `${received()} bytes came back`);
      await assertBounded();
    });
  }

  test("a reader that stops also stops the upstream", async (t) => {
    const { guest, startMeasuring, assertBounded } = await start(t);
    guest.write("GET /endless HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
    await once(guest, "data");
    guest.pause();
    await startMeasuring();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await assertBounded();
  });

  test("a compressed response that grows a thousandfold stays within bounds", async (t) => {
    const { guest, startMeasuring, assertBounded } = await start(t);
    const received = countReceived(guest);
    guest.write("GET /bomb HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n");
    while (received() < warmUpMebibytes * mebibyte) await once(guest, "data");
    await startMeasuring();
    await once(guest, "close");
    assert.ok(received() > streamedMebibytes * mebibyte, `${received()} bytes came`);
    await assertBounded();
  });
});
