import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { WebSocket } from "ws";
import { replacingTransform } from "./testing/replacing-transform.ts";
import { startWebSocketScenario, type WebSocketScenario } from "./testing/web-socket-scenario.ts";

const value = "tk-5fJ9qLw2ZxPb7Rm4";
const token = "opencomputer-token";

async function nextMessage(socket: WebSocket): Promise<{ text: string; isBinary: boolean }> {
  const [data, isBinary] = (await once(socket, "message")) as [Buffer, boolean];
  return { text: data.toString("latin1"), isBinary };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let round = 0; round < 3000 && !holds(); round += 1) await sleep(10);
  assert.ok(holds(), what);
}

describe("relayWebSocket between two ends of the ws package", () => {
  let scenario: WebSocketScenario;
  before(async () => {
    scenario = await startWebSocketScenario({
      fromGuest: () => replacingTransform(token, value),
      toGuest: () => replacingTransform(value, token),
    });
  });
  after(() => scenario.stop());

  for (const isBinary of [false, true]) {
    test(`a ${isBinary ? "binary" : "text"} message is substituted, its echo redacted`, async () => {
      const { client, server } = await scenario.connect();
      const arrived = nextMessage(server);
      client.send(`key=${token}`, { binary: isBinary });
      assert.deepEqual(await arrived, { text: `key=${value}`, isBinary });
      const echoed = nextMessage(client);
      server.send(`key=${value}`, { binary: isBinary });
      assert.deepEqual(await echoed, { text: `key=${token}`, isBinary });
      client.terminate();
    });
  }

  test("a fragmented message with a ping inside arrives complete, redacted across its fragments", async () => {
    const { client, server } = await scenario.connect();
    const message = nextMessage(client);
    const ping = once(client, "ping");
    const pong = once(server, "pong");
    server.send(`a ${value.slice(0, 8)}`, { fin: false });
    server.ping("between");
    await ping;
    server.send(value.slice(8), { fin: false });
    server.send(" b", { fin: true });
    assert.deepEqual(await message, { text: `a ${token} b`, isBinary: false });
    assert.equal(String((await pong)[0]), "between");
    client.terminate();
  });

  test("5 MiB pass both ways unchanged", async () => {
    const { client, server } = await scenario.connect();
    const data = randomBytes(5 * 1024 * 1024);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      const arrived = once(to, "message");
      from.send(data);
      assert.ok(data.equals((await arrived)[0] as Buffer));
    }
    client.terminate();
  });

  for (const closer of ["client", "server"] as const) {
    test(`close code and reason of the ${closer} pass, and the relay ends cleanly`, async () => {
      const { client, server } = await scenario.connect();
      const ends = scenario.outcomes.length;
      const closes = Promise.all([once(client, "close"), once(server, "close")]);
      if (closer === "client") client.close(4001, "done");
      else server.close(4001, `done ${value}`);
      const [[clientCode, clientReason], [serverCode, serverReason]] = await closes;
      assert.deepEqual([clientCode, serverCode], [4001, 4001]);
      const [seen, expected] =
        closer === "client" ? [serverReason, "done"] : [clientReason, `done ${token}`];
      assert.equal(String(seen), expected);
      await until("the relay ended", () => scenario.outcomes.length > ends);
      assert.equal(scenario.outcomes.at(-1), undefined);
    });
  }

  test("a side that is lost ends the other without a close frame", async () => {
    const { client, server } = await scenario.connect();
    const closed = once(client, "close");
    server.send("part", { fin: false });
    server.terminate();
    assert.equal((await closed)[0], 1006);
  });

  for (const [reader, sender] of [
    ["client", "server"],
    ["server", "client"],
  ] as const) {
    test(`a ${reader} that does not read holds the ${sender} back, in constant memory`, async () => {
      const ends = await scenario.connect();
      const arrived = () => scenario.bytes[reader === "client" ? "toGuest" : "fromGuest"];
      ends[reader].pause();
      const before = arrived();
      const total = 64 * 1024 * 1024;
      const part = randomBytes(1024 * 1024);
      let received = 0;
      ends[reader].on("message", (data: Buffer) => {
        received += data.length;
      });
      for (let sent = 0; sent < total; sent += part.length) ends[sender].send(part);
      let passed = -1;
      await until("the relay stopped reading", () => {
        const stopped = passed === arrived() - before && passed > 0;
        passed = arrived() - before;
        return stopped;
      });
      await sleep(200);
      passed = arrived() - before;
      assert.ok(passed < total / 2, `${passed} bytes were read though nobody took them`);
      const buffered = scenario.bufferedBytes();
      assert.ok(buffered < 512 * 1024, `the relay holds ${buffered} bytes`);
      ends[reader].resume();
      await until("everything arrived", () => received === total);
      ends.client.terminate();
    });
  }
});
