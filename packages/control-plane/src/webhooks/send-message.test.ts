import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { createAddressJudge } from "@opencomputer/process";
import { z } from "zod";
import { SendError, type SendMessageDeps, sendMessage } from "./send-message.ts";

const addressSchema = z.object({ port: z.number() });

describe("sendMessage()", () => {
  const hosts: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    hosts.push(request.headers.host);
    if (request.url === "/endless") {
      response.writeHead(200);
      const more = setInterval(() => response.write("x".repeat(1000)), 1);
      response.once("close", () => clearInterval(more));
    } else if (request.url === "/redirect") {
      response.writeHead(302, { location: "/" }).end();
    } else if (request.url === "/nonsense") {
      request.socket.end("nonsense\r\n\r\n");
    } else if (request.url === "/break") {
      request.socket.destroy();
    } else if (request.url !== "/hang") {
      response.writeHead(204).end();
    }
  });
  let port = 0;
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    port = addressSchema.parse(server.address()).port;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  function send(
    url: string,
    {
      opened = ["127.0.0.1/32"],
      addresses = ["127.0.0.1"],
      own = [],
      signal = new AbortController().signal,
    }: { opened?: string[]; addresses?: string[]; own?: string[]; signal?: AbortSignal } = {},
  ) {
    const resolved: string[] = [];
    const deps: SendMessageDeps = {
      judgeAddress: createAddressJudge([], opened),
      isOwnAddress: (address) => own.includes(address),
      resolve: async (host) => {
        resolved.push(host);
        return addresses;
      },
    };
    const message = { headers: { "content-type": "application/json" }, body: "{}" };
    return { resolved, status: sendMessage(deps, new URL(url), message, signal) };
  }

  test("dials the address that was judged, and names the host of the URL", async () => {
    const { resolved, status } = send(`http://receiver.example:${port}/`);
    assert.equal(await status, 204);
    assert.deepEqual([resolved, hosts.at(-1)], [["receiver.example"], `receiver.example:${port}`]);
  });

  const refused: [string, string[], string[]][] = [
    ["http://receiver.example", ["10.0.0.1"], []],
    ["http://receiver.example", ["::ffff:10.0.0.1", "fd00::1"], []],
    ["http://receiver.example", ["5.5.5.5"], ["5.5.5.5"]],
    ["http://127.0.0.1", [], []],
    ["http://[::1]", [], []],
    ["http://[::ffff:7f00:1]", [], []],
    ["http://2130706433", [], []],
    ["https://169.254.169.254", [], []],
  ];
  for (const [url, addresses, own] of refused) {
    test(`refuses ${url} at ${addresses.join(", ") || "that address"}, and names the setting`, async () => {
      const { status } = send(`${url}:${port}/`, { opened: [], addresses, own });
      await assert.rejects(status, (error) => {
        assert.ok(error instanceof SendError);
        assert.match(error.message, /not on the public internet.*OPENCOMPUTER_WEBHOOK_ADDRESSES/);
        return true;
      });
    });
  }

  test("takes the first address that may be dialled", async () => {
    const addresses = ["10.0.0.1", "127.0.0.1"];
    assert.equal(await send(`http://receiver.example:${port}/`, { addresses }).status, 204);
  });

  test("does not follow a redirect, nor read a body without end", async () => {
    const before = hosts.length;
    assert.equal(await send(`http://127.0.0.1:${port}/redirect`).status, 302);
    assert.equal(hosts.length, before + 1);
    assert.equal(await send(`http://127.0.0.1:${port}/endless`).status, 200);
  });

  test("reports what is no response, and a name without addresses", async () => {
    await assert.rejects(send(`http://127.0.0.1:${port}/nonsense`).status, SendError);
    await assert.rejects(send(`http://127.0.0.1:${port}/break`).status, SendError);
    await assert.rejects(send("http://127.0.0.1:1/").status, /ECONNREFUSED/);
    await assert.rejects(send(`https://127.0.0.1:${port}/`).status, SendError);
    const { status } = send(`http://receiver.example:${port}/`, { addresses: [] });
    await assert.rejects(status, /receiver\.example has no address/);
  });

  test("rejects with the reason of its signal", async () => {
    const abort = new AbortController();
    const { status } = send(`http://127.0.0.1:${port}/hang`, { signal: abort.signal });
    const reason = new Error("enough");
    setTimeout(() => abort.abort(reason), 20);
    await assert.rejects(status, reason);
    const early = AbortSignal.abort(reason);
    await assert.rejects(send(`http://127.0.0.1:${port}/`, { signal: early }).status, reason);
  });
});
