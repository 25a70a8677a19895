import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, mock, test } from "node:test";
import { z } from "zod";
import { seededRandom } from "../testing/seeded-random.ts";
import {
  connectQmp,
  createQmpParser,
  QmpError,
  QmpRefusal,
  qmpMessageBytesMax,
} from "./qmp-client.ts";

describe("createQmpParser", () => {
  test("parses the four kinds of message", () => {
    const text = `{"QMP": {"version": {}, "capabilities": []}}\r
{"return": {"status": "running"}, "id": 1}\r
{"error": {"class": "GenericError", "desc": "no such device"}, "id": 2}\r
{"event": "STOP", "timestamp": {"seconds": 1}}\r
`;
    assert.deepEqual(createQmpParser()(Buffer.from(text)), [
      { kind: "greeting" },
      { kind: "result", id: 1, value: { status: "running" } },
      { kind: "failure", id: 2, description: "no such device" },
      { kind: "event", event: "STOP", data: undefined },
    ]);
  });

  test("joins messages that arrive byte by byte, in UTF-8", () => {
    const parse = createQmpParser();
    const bytes = Buffer.from('{"return": "Größe ✓", "id": 7}\n');
    const messages = [...bytes].flatMap((byte) => parse(Buffer.from([byte])));
    assert.deepEqual(messages, [{ kind: "result", id: 7, value: "Größe ✓" }]);
  });

  test("refuses a message without end", () => {
    const parse = createQmpParser();
    assert.throws(() => parse(Buffer.alloc(qmpMessageBytesMax + 1, 0x20)), /longer than/);
  });

  test("gives messages or a QmpError for any bytes, seed 1 to 2000", () => {
    const alphabet = '{}[]":,\n\r\\ 0123456789truefalsnid"event""return""error""QMP"é';
    for (let seed = 1; seed <= 2000; seed += 1) {
      const random = seededRandom(seed);
      const parse = createQmpParser();
      try {
        for (let chunk = 0; chunk < 4; chunk += 1) {
          const length = Math.floor(random() * 60);
          const text = Array.from(
            { length },
            () => alphabet[Math.floor(random() * alphabet.length)],
          ).join("");
          parse(Buffer.from(text));
        }
      } catch (error) {
        assert.ok(error instanceof QmpError, `seed ${seed}: ${String(error)}`);
      }
    }
  });
});

/** A monitor that responds to each command by the given function. */
async function scenario(respond: (command: string, id: number, socket: Socket) => string) {
  const directory = await mkdtemp(join(tmpdir(), "qmp-"));
  const path = join(directory, "qmp");
  const server = createServer((socket) => {
    socket.write('{"QMP": {}}\n');
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => {
      for (const line of bytes.toString().trim().split("\n")) {
        const { execute, id } = z
          .object({ execute: z.string(), id: z.int() })
          .parse(JSON.parse(line));
        socket.write(
          execute === "qmp_capabilities"
            ? `{"return": {}, "id": ${id}}\n`
            : respond(execute, id, socket),
        );
      }
    });
  });
  server.listen(path);
  await once(server, "listening");
  const client = await connectQmp(path, { timeoutSeconds: 5 });
  return {
    client,
    async end() {
      client.disconnect();
      server.close();
      await rm(directory, { recursive: true });
    },
  };
}

describe("connectQmp", () => {
  test("runs a command and parses its response", async () => {
    const { client, end } = await scenario(
      (_, id) => `{"return": {"status": "paused"}, "id": ${id}}\n`,
    );
    const schema = z.object({ status: z.string() });
    assert.deepEqual(await client.execute("query-status", {}, schema), { status: "paused" });
    await end();
  });

  test("rejects with the reason that QEMU gives, and continues", async () => {
    const { client, end } = await scenario((command, id) =>
      command === "cont"
        ? `{"error": {"class": "X", "desc": "Device is locked"}, "id": ${id}}\n`
        : `{"return": 1, "id": ${id}}\n`,
    );
    await assert.rejects(client.execute("cont", {}, z.unknown()), /refused cont: Device is locked/);
    assert.equal(await client.execute("query", {}, z.number()), 1);
    await end();
  });

  test("rejects a response of another form", async () => {
    const { client, end } = await scenario((_, id) => `{"return": "text", "id": ${id}}\n`);
    await assert.rejects(
      client.execute("query", {}, z.number()),
      /responded to query in an unknown form/,
    );
    await end();
  });

  test("rejects pending commands, and reports the end, when QEMU ends", async () => {
    const { client, end } = await scenario((_, __, socket) => {
      socket.destroy();
      return "";
    });
    const closed = new Promise<void>((resolve) => client.onClose(resolve));
    await assert.rejects(client.execute("quit", {}, z.unknown()), QmpError);
    await closed;
    await assert.rejects(client.execute("cont", {}, z.unknown()), QmpError);
    await end();
  });

  test("an event reaches who listens for its name, with its data, until they end it", async () => {
    const { client, end } = await scenario((command, id) => {
      const event = `{"event": "${command}", "data": {"id": ${id}}, "timestamp": {}}\n`;
      return `${event}{"return": {}, "id": ${id}}\n`;
    });
    const heard: unknown[] = [];
    const stop = client.onEvent("STOP", (data) => heard.push(["first", data]));
    client.onEvent("STOP", (data) => heard.push(["second", data]));
    await client.execute("RESUME", {}, z.unknown());
    assert.deepEqual(heard, []);
    await client.execute("STOP", {}, z.unknown());
    stop();
    await client.execute("STOP", {}, z.unknown());
    assert.deepEqual(heard, [
      ["first", { id: 3 }],
      ["second", { id: 3 }],
      ["second", { id: 4 }],
    ]);
    await end();
  });

  test("distinguishes a refusal, after which QEMU is unchanged, from everything else", async () => {
    const { client, end } = await scenario((command, id, socket) => {
      if (command === "quit") socket.destroy();
      return `{"error": {"class": "X", "desc": "no"}, "id": ${id}}\n`;
    });
    await assert.rejects(client.execute("cont", {}, z.unknown()), QmpRefusal);
    await assert.rejects(
      client.execute("quit", {}, z.unknown()),
      (error) => error instanceof QmpError && !(error instanceof QmpRefusal),
    );
    await end();
  });

  test("a reply that is late is ignored, and the connection continues", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      let reply = (): void => undefined;
      const { client, end } = await scenario((command, id, socket) => {
        if (command !== "stop") return `{"return": 1, "id": ${id}}\n`;
        reply = () => socket.write(`{"return": {}, "id": ${id}}\n`);
        return "";
      });
      let isClosed = false;
      client.onClose(() => {
        isClosed = true;
      });
      const stopping = client.execute("stop", {}, z.unknown());
      assert.equal(await client.execute("query", {}, z.number()), 1);
      mock.timers.tick(30_000);
      await assert.rejects(stopping, /did not respond to stop in 30 seconds/);
      reply();
      assert.equal(await client.execute("query", {}, z.number()), 1);
      assert.equal(isClosed, false);
      await end();
    } finally {
      mock.timers.reset();
    }
  });

  test("ends the connection on a line that is not JSON", async () => {
    const { client, end } = await scenario(() => "not json\n");
    await assert.rejects(client.execute("query", {}, z.unknown()), /not JSON/);
    await end();
  });

  test("fails when there is no monitor", async () => {
    await assert.rejects(
      connectQmp("/nonexistent/qmp", { timeoutSeconds: 60, isStarting: () => false }),
      /does not respond on \/nonexistent\/qmp/,
    );
  });
});
