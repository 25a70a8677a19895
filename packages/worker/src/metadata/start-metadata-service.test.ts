import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { initialScaling, serviceLimits } from "@opencomputer/protocol/wire";
import { createFakeMachines, createJournal, sandboxSpec } from "../testing/fake-machines.ts";
import { seededRandom } from "../testing/seeded-random.ts";
import { startMetadataService } from "./start-metadata-service.ts";

const agent = createFakeMachines(createJournal()).fake().agent;
const mine = sandboxSpec();
const other = sandboxSpec({ sandboxId: "sb-bbbbbbbbbbbbbbbbbbbb", memoryMB: 4096 });
let now = 1_000_000;
const scales: unknown[] = [];
let service: Awaited<ReturnType<typeof startMetadataService>>;

before(async () => {
  service = await startMetadataService({
    address: "127.0.0.1",
    port: 0,
    now: () => now,
    log: { warn: () => undefined },
    listRunning: () => [
      { spec: mine, agent, sourceAddress: "127.0.0.1", startedAtUnixMilliseconds: 990_500 },
      { spec: other, agent, sourceAddress: "127.0.0.3", startedAtUnixMilliseconds: 0 },
    ],
    async scale(...request) {
      scales.push(request);
      const [sandboxId, { memoryMB }] = request;
      if (memoryMB === 300) throw new WireError("scaling_locked", "locked");
      return {
        ...{ sandboxId, state: "running" as const, sourceAddress: null, machineId: null },
        ...{ memory: "kept" as const, lostBecause: null },
        size: { memoryMB: memoryMB ?? 0, scaling: initialScaling(memoryMB ?? 0) },
      };
    },
  });
});
after(() => service.close());
beforeEach(() => {
  now += 1000;
  scales.length = 0;
});

/** Sends bytes from an address of this host and returns the whole response. */
async function send(text: string | Buffer, localAddress = "127.0.0.1"): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: service.port, localAddress });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => undefined);
  socket.end(text);
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
}

async function call(method: string, path: string, body = "", localAddress?: string) {
  const head = `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  const response = await send(`${head}${body}`, localAddress);
  const [, status = "0"] = /^HTTP\/1\.1 (\d+)/.exec(response) ?? [];
  return { status: Number(status), body: response.split("\r\n\r\n")[1] ?? "" };
}

describe("metadata service", () => {
  test("responds with compact JSON of the sandbox at the address", async () => {
    assert.deepEqual(await call("GET", "/v1/status"), {
      status: 200,
      body: `{"sandboxId":"${mine.sandboxId}","uptime":${Math.floor((now - 990_500) / 1000)}}`,
    });
    assert.deepEqual(JSON.parse((await call("GET", "/v1/limits")).body), {
      memLimit: 1024 * 1024 * 1024,
      pids: 4096,
      cpuPercent: 100,
      memoryMB: 1024,
      memoryMBMax: 1024,
      autoscale: false,
      locked: false,
    });
    const { body } = await call("GET", "/v1/metadata");
    assert.equal(body, '{"region":"local","template":"base"}');
  });

  test("HEAD is GET without the body", async () => {
    assert.deepEqual(await call("HEAD", "/v1/metadata"), { status: 200, body: "" });
    assert.deepEqual(await call("HEAD", "/v1/scale"), { status: 404, body: "" });
  });

  test("another address is another sandbox, whatever the request contains", async () => {
    const claims = `/v1/status?sandboxId=${mine.sandboxId}`;
    const { body } = await call("GET", claims, "", "127.0.0.3");
    assert.equal(JSON.parse(body).sandboxId, other.sandboxId);
    assert.equal(JSON.parse((await call("GET", claims)).body).sandboxId, mine.sandboxId);
  });

  test("an address of no running sandbox gets nothing", async () => {
    assert.equal(await send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "127.0.0.2"), "");
  });

  test("scales the sandbox at the address as its guest", async () => {
    assert.deepEqual(await call("POST", "/v1/scale", '{"memoryMB":512}'), {
      status: 200,
      body: '{"ok":true,"memoryMB":512}',
    });
    assert.deepEqual(scales, [[mine.sandboxId, { memoryMB: 512, cpuPercent: null }, "guest"]]);
    const locked = await call("POST", "/v1/scale", '{"memoryMB":300}');
    assert.deepEqual([locked.status, JSON.parse(locked.body).code], [403, "scaling_locked"]);
  });

  const refused: [string, string, string, number][] = [
    ["POST", "/v1/scale", "", 400],
    ["POST", "/v1/scale", "{}", 400],
    ["POST", "/v1/scale", '{"memoryMB":"512"}', 400],
    ["POST", "/v1/scale", '{"memoryMB":255}', 400],
    ["POST", "/v1/scale", '{"memoryMB":1e99}', 400],
    ["POST", "/v1/scale", " ".repeat(serviceLimits.metadataBodyBytesMax + 1), 413],
    ["GET", "/", "", 404],
    ["PUT", "/v1/scale", "", 404],
    ["GET", "/v1/scale", "", 404],
    ["POST", "/v1/status", "", 404],
  ];
  for (const [method, path, body, status] of refused) {
    test(`${method} ${path} ${JSON.stringify(body.slice(0, 20))} is ${status}`, async () => {
      const response = await call(method, path, body);
      assert.equal(response.status, status);
      assert.equal(typeof JSON.parse(response.body).code, "string");
      assert.deepEqual(scales, []);
    });
  }

  test("more requests in a second than allowed get 429, those of others are served", async () => {
    for (let count = 0; count < serviceLimits.metadataRequestsPerSecondMax; count += 1) {
      assert.equal((await call("GET", "/v1/metadata")).status, 200);
    }
    assert.equal((await call("GET", "/v1/metadata")).status, 429);
    assert.equal((await call("GET", "/v1/metadata", "", "127.0.0.3")).status, 200);
    now += 1000;
    assert.equal((await call("GET", "/v1/metadata")).status, 200);
  });

  test("connections over the limit of one sandbox are closed, those of others are served", async () => {
    const open = Array.from({ length: serviceLimits.metadataConnectionsPerSandboxMax }, () =>
      connect({ host: "127.0.0.1", port: service.port, localAddress: "127.0.0.1" }),
    );
    await Promise.all(open.map((socket) => once(socket, "connect")));
    // Served after all of these were accepted.
    assert.equal((await call("GET", "/v1/metadata", "", "127.0.0.3")).status, 200);
    assert.equal((await call("GET", "/v1/metadata")).status, 0);
    for (const socket of open) socket.destroy();
  });

  test("any bytes get a response or an end, and change nothing: seed 1 to 200", async () => {
    const words = ["GET ", "POST ", "/v1/scale", "/v1/status", " HTTP/1.1\r\n", "\r\n", "Host: x"];
    const more = ["Content-Length: ", "9", "-1", "Transfer-Encoding: chunked", "{", "}", "\0", "é"];
    const alphabet = [...words, ...more];
    for (let seed = 1; seed <= 200; seed += 1) {
      now += 1000;
      const random = seededRandom(seed);
      const text = Array.from(
        { length: Math.floor(random() * 20) },
        () => alphabet[Math.floor(random() * alphabet.length)],
      ).join("");
      const response = await send(text);
      assert.ok(response === "" || response.startsWith("HTTP/1.1 "), `seed ${seed}`);
      assert.deepEqual(scales, [], `seed ${seed}`);
    }
    assert.equal((await call("GET", "/v1/metadata")).status, 200);
  });
});
