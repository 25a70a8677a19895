import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { limits, WireError } from "@opencomputer/protocol/api";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { seededRandom } from "../testing/seeded-random.ts";
import { type AgentClient, createAgentClient } from "./agent-client.ts";
import { createByteBudget } from "./guest-bounds.ts";

const command = {
  command: ["/bin/true"],
  environment: {},
  workingDirectory: null,
  timeoutMilliseconds: 1000,
  outputBytesMax: 1024,
  asRoot: false,
};

/** An agent that responds as the test defines: guests are untrusted. */
async function scenario(
  respond: (request: IncomingMessage, response: ServerResponse) => void,
  budget = createByteBudget(1024 * 1024),
) {
  const server = createServer(respond);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const agent = createAgentClient({ origin: `http://127.0.0.1:${port}`, budget });
  return {
    agent,
    budget,
    async end() {
      await agent.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

function failsWith(code: string, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof WireError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

function isShort(message: RegExp) {
  return (error: unknown) => inspect(error).length < 5_000 && message.test(String(error));
}

describe("createAgentClient", () => {
  test("run: gives the result of a command", async () => {
    const { agent, end } = await scenario((_, response) =>
      response.end(JSON.stringify({ exitCode: 3, stdout: "ä", stderr: "" })),
    );
    assert.deepEqual(await agent.run(command), { exitCode: 3, stdout: "ä", stderr: "" });
    await end();
  });

  const hostileResponses: [string, string][] = [
    ["a body that is not JSON", "hello"],
    ["an empty response", ""],
    ["another form", '{"exitCode":"0","stdout":"","stderr":""}'],
    ["a fraction for an exit code", '{"exitCode":0.5,"stdout":"","stderr":""}'],
    ["an array", "[]"],
  ];
  for (const [what, body] of hostileResponses) {
    test(`run: ${what} is guest_failed`, async () => {
      const { agent, end } = await scenario((_, response) => response.end(body));
      await assert.rejects(agent.run(command), failsWith("guest_failed", /agent in the sandbox/));
      await end();
    });
  }

  for (const [what, call, status, objects] of [
    ["run", (agent) => agent.run(command), 200, 100],
    ["an error", (agent) => agent.makeDirectory("/d"), 400, 80_000],
    ["listDirectory", (agent) => agent.listDirectory("/"), 200, 310_000],
    ["sessions.list", (agent) => agent.sessions.list(), 200, 700_000],
    ["terminals.list", (agent) => agent.terminals.list(), 200, 10_000],
  ] satisfies [string, (agent: AgentClient) => Promise<unknown>, number, number][]) {
    test(`${what}: a response of very many values is not parsed`, async () => {
      const { agent, end } = await scenario(
        (_, response) => {
          response.statusCode = status;
          response.end(`[${"{},".repeat(objects)}{}]`);
        },
        createByteBudget(16 * 1024 * 1024),
      );
      await assert
        .rejects(call(agent), failsWith("guest_failed", /more than [0-9]+ values/))
        .finally(end);
    });
  }

  for (const [what, call, elementsMax] of [
    ["listDirectory", (agent) => agent.listDirectory("/"), limits.directoryEntriesMax],
    ["sessions.list", (agent) => agent.sessions.list(), 320],
    ["terminals.list", (agent) => agent.terminals.list(), 96],
  ] satisfies [string, (agent: AgentClient) => Promise<unknown>, number][]) {
    test(`${what}: of many wrong elements one is reported, and of too many none is parsed`, async () => {
      let count = elementsMax;
      const { agent, end } = await scenario((_, response) =>
        response.end(JSON.stringify(Array(count).fill(1))),
      );
      await assert.rejects(call(agent), isShort(/unknown form, at its root$/));
      count += 1;
      await assert.rejects(call(agent), isShort(/unknown form, at its root$/));
      await end();
    });
  }

  test("run: as much output as the guest was to keep is passed on, more is guest_failed", async () => {
    let length = 0;
    const { agent, end } = await scenario((_, response) => {
      const stderr = `${"ä".repeat(length)}\nProcess timed out`;
      response.end(JSON.stringify({ exitCode: -1, stdout: "", stderr }));
    });
    length = command.outputBytesMax;
    assert.equal((await agent.run(command)).stderr.length, length + "\nProcess timed out".length);
    length += 64;
    await assert.rejects(
      agent.run(command),
      failsWith("guest_failed", /more output than the 1024/),
    );
    await end();
  });

  test("run: an incomplete response is guest_failed", async () => {
    const { agent, end } = await scenario((_, response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("{");
      setImmediate(() => response.destroy());
    });
    await assert.rejects(
      agent.run(command),
      failsWith("guest_failed", /did not complete its response/),
    );
    await end();
  });

  test("run: an endless response stops at the limits, and frees the memory that it used", async () => {
    const { agent, budget, end } = await scenario((_, response) => {
      response.on("error", () => response.destroy());
      const fill = () => {
        while (!response.destroyed && response.write("x".repeat(65536)));
      };
      response.on("drain", fill);
      fill();
    });
    await assert.rejects(agent.run(command), failsWith("too_many_requests", /Too much output/));
    const free = budget.openShare().hold(() => undefined);
    assert.equal(free.take(1024 * 1024), true);
    await end();
  });

  test("run: a response that never ends keeps no other guest from responding", async () => {
    const budget = createByteBudget(1024 * 1024);
    const hostile = await scenario((_, response) => {
      response.write("x".repeat(1000 * 1024));
    }, budget);
    const other = await scenario(
      (_, response) =>
        response.end(JSON.stringify({ exitCode: 0, stdout: "y".repeat(100 * 1024), stderr: "" })),
      budget,
    );
    let isDropped = false;
    const dropped = assert
      .rejects(
        hostile.agent.run({ ...command, timeoutMilliseconds: 24 * 3600 * 1000 }),
        failsWith("too_many_requests", /Too much output/),
      )
      .finally(() => {
        isDropped = true;
      });
    const small = { ...command, outputBytesMax: 100 * 1024 };
    while (!isDropped) assert.equal((await other.agent.run(small)).exitCode, 0);
    await dropped;
    await hostile.end();
    await other.end();
  });

  test("errors that a guest may report are passed on with their text; others become guest_failed", async () => {
    const { agent, end } = await scenario((request, response) => {
      response.statusCode = 400;
      const code = new URL(request.url ?? "", "http://agent").searchParams.get("path");
      response.end(JSON.stringify({ error: "x".repeat(10_000), code }));
    });
    const cut = new RegExp(`^x{${serviceLimits.agentErrorCharactersMax}}$`);
    await assert.rejects(agent.removeFile("file_not_found"), failsWith("file_not_found", cut));
    for (const code of ["invalid_api_key", "sandbox_not_found", "no_such_code"]) {
      await assert.rejects(agent.removeFile(code), failsWith("guest_failed", cut));
    }
    await end();
  });

  test("close: open calls fail, also waiting for the agent", async () => {
    const { agent, end } = await scenario(() => undefined);
    const running = assert.rejects(
      agent.run(command),
      failsWith("guest_failed", /did not respond/),
    );
    const waiting = assert.rejects(
      agent.waitUntilHealthy(60),
      failsWith("guest_failed", /ended before it responded/),
    );
    setImmediate(() => void agent.close());
    await Promise.all([running, waiting]);
    await end();
  });

  test("run: the caller's signal ends the command's request", async () => {
    const controller = new AbortController();
    let ended: Promise<unknown> = Promise.resolve();
    const { agent, end } = await scenario((request) => {
      ended = once(request.socket, "close");
      controller.abort(new Error("closed"));
    });
    await assert.rejects(agent.run(command, controller.signal), WireError);
    await ended;
    await end();
  });

  test("files: paths are encoded, content streams in both directions, invalid lengths are ignored", async () => {
    const seen: string[] = [];
    const { agent, end } = await scenario((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://agent");
      seen.push(`${request.method} ${pathname} ${searchParams.get("path")}`);
      if (request.method === "GET") response.write("bytes");
      request.resume().on("end", () => response.end());
    });
    await agent.writeFile("/a b/ü&?#.txt", Readable.from(["con", "tent"]));
    const file = await agent.readFile("/x", new AbortController().signal);
    assert.equal(file.sizeBytes, undefined);
    assert.equal(await text(file.content), "bytes");
    await agent.makeDirectory("/d");
    assert.deepEqual(seen, [
      "PUT /v1/files /a b/ü&?#.txt",
      "GET /v1/files /x",
      "POST /v1/files/mkdir /d",
    ]);
    await end();
  });

  for (const name of ["sync", "freeze"] as const) {
    test(`${name}: returns at a response without content, and throws at an error`, async () => {
      const seen: string[] = [];
      const { agent, end } = await scenario((request, response) => {
        seen.push(`${request.method} ${request.url}`);
        response.statusCode = seen.length === 1 ? 204 : 500;
        response.end();
      });
      await agent[name]();
      await assert.rejects(agent[name](), failsWith("guest_failed", /not JSON/));
      assert.deepEqual(seen, [`POST /v1/${name}`, `POST /v1/${name}`]);
      await end();
    });
  }

  test("run: any response is a result or a WireError, seed 1 to 300", async () => {
    let body = Buffer.alloc(0);
    const { agent, end } = await scenario((_, response) => response.end(body));
    const valid = Buffer.from('{"exitCode":0,"stdout":"out","stderr":"err","truncated":true}');
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = seededRandom(seed);
      body = Buffer.from(valid);
      for (let change = 0; change < 3; change += 1) {
        body[Math.floor(random() * body.length)] = Math.floor(random() * 256);
      }
      const cut = body.subarray(0, Math.floor(random() * 2 * body.length));
      body = cut;
      try {
        const result = await agent.run(command);
        assert.equal(typeof result.stdout, "string");
      } catch (error) {
        assert.ok(error instanceof WireError, `seed ${seed}: ${String(error)}`);
        assert.equal(error.code, "guest_failed");
      }
    }
    await end();
  });
});
