import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { tokenOf } from "../testing/http-policy.ts";

const mebibyte = 1024 * 1024;
const streamedMebibytes = 256;
/** The product's bound for a stream of any length. */
const growthOctetsMax = 32 * mebibyte;

const reportSchema = z.object({ port: z.int().optional(), rss: z.number().optional() });

/** The data path in a process of its own, so that its memory is its own too. */
async function startProcess() {
  const child = fork(fileURLToPath(new URL("../testing/http-memory-process.ts", import.meta.url)), {
    execArgv: ["--expose-gc", "--conditions=source", "--import", "tsx"],
  });
  const report = async () => reportSchema.parse((await once(child, "message"))[0]);
  const { port } = await report();
  assert.ok(port !== undefined);
  return {
    port,
    async peakRss(): Promise<number> {
      child.send("peak");
      return (await report()).rss ?? Number.NaN;
    },
    async stop() {
      child.kill();
      await once(child, "exit");
    },
  };
}

async function write(socket: net.Socket, octets: Buffer): Promise<void> {
  if (!socket.write(octets)) await once(socket, "drain");
}

describe("serveConnection: memory", () => {
  for (const kind of ["chunked", "length"] as const) {
    test(`an upload with a ${kind} body and its echo stay within bounds`, async (t) => {
      const proxy = await startProcess();
      t.after(() => proxy.stop());
      const socket = net.connect(proxy.port, "127.0.0.1");
      t.after(() => socket.destroy());
      let received = 0;
      socket.on("data", (octets: Buffer) => {
        received += octets.length;
      });
      const part = Buffer.alloc(mebibyte, "x");
      part.write(tokenOf("a"), 1000);
      const head = "POST / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n";
      const send = async (octets: Buffer) => {
        if (kind === "chunked")
          await write(socket, Buffer.from(`${octets.length.toString(16)}\r\n`));
        await write(socket, octets);
        if (kind === "chunked") await write(socket, Buffer.from("\r\n"));
      };
      const length = streamedMebibytes * mebibyte;
      await write(
        socket,
        Buffer.from(
          kind === "chunked"
            ? `${head}Transfer-Encoding: chunked\r\n\r\n`
            : `${head}Content-Length: ${length}\r\n\r\n`,
        ),
      );
      const warmUpMebibytes = 32;
      for (let sent = 0; sent < warmUpMebibytes; sent += 1) await send(part);
      const before = await proxy.peakRss();
      for (let sent = warmUpMebibytes; sent < streamedMebibytes; sent += 1) await send(part);
      if (kind === "chunked") await write(socket, Buffer.from("0\r\n\r\n"));
      await once(socket, "close");
      const growth = (await proxy.peakRss()) - before;
      assert.ok(received >= length, `${received} octets came back`);
      assert.ok(growth <= growthOctetsMax, `the process grew by ${growth} octets`);
    });
  }

  test("a reader that stops also stops the upstream, and costs no memory", async (t) => {
    const proxy = await startProcess();
    t.after(() => proxy.stop());
    const before = await proxy.peakRss();
    const socket = net.connect(proxy.port, "127.0.0.1");
    t.after(() => socket.destroy());
    socket.pause();
    socket.write("GET /endless HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const growth = (await proxy.peakRss()) - before;
    assert.ok(growth <= growthOctetsMax, `the process grew by ${growth} octets`);
  });

  test("a compressed answer that grows a thousandfold costs no memory", async (t) => {
    const proxy = await startProcess();
    t.after(() => proxy.stop());
    const socket = net.connect(proxy.port, "127.0.0.1");
    t.after(() => socket.destroy());
    const before = await proxy.peakRss();
    let received = 0;
    socket.on("data", (octets: Buffer) => {
      received += octets.length;
    });
    socket.write("GET /bomb HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n");
    await once(socket, "close");
    const growth = (await proxy.peakRss()) - before;
    assert.ok(received > 256 * mebibyte, `${received} octets came`);
    assert.ok(growth <= growthOctetsMax, `the process grew by ${growth} octets`);
  });
});
