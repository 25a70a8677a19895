import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { createAgentClient } from "./agent-client.ts";
import { createByteBudget } from "./guest-bounds.ts";

const session = {
  id: "exec-1",
  command: ["true"],
  shell: true,
  running: true,
  startedAtUnixMilliseconds: 1_700_000_000_000,
  attachedClients: 0,
};
const request = {
  command: ["true"],
  shell: true,
  environment: {},
  workingDirectory: null,
  input: true,
  timeoutMilliseconds: 0,
  maxRunAfterDisconnectMilliseconds: 0,
  outputBytesMax: 0,
};

/** An agent that responds as the test defines: guests are untrusted. */
async function scenario(respond: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(respond);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const budget = createByteBudget(1024 * 1024);
  const agent = createAgentClient({ origin: `http://127.0.0.1:${port}`, budget });
  return {
    sessions: agent.sessions,
    async end() {
      await agent.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

const isError = (code: string) => (error: unknown) =>
  error instanceof WireError && error.code === code;

describe("createAgentSessions", () => {
  test("sends requests in the agent's form", async () => {
    const asked: string[] = [];
    const { sessions, end } = await scenario(async (incoming, response) => {
      asked.push(`${incoming.method} ${incoming.url} ${await text(incoming)}`);
      const isList = incoming.method === "GET" && incoming.url === "/v1/sessions?";
      const isResult = incoming.url?.includes("result");
      const result = { running: false, exitCode: 0, stdout: "", stderr: "" };
      response.end(JSON.stringify(isList ? [session] : isResult ? result : session));
    });
    assert.deepEqual(await sessions.start(request), session);
    assert.deepEqual(await sessions.list(), [session]);
    assert.deepEqual(await sessions.get("exec-1"), session);
    await sessions.kill("exec-1", 15);
    await sessions.result("exec-1", { waitMilliseconds: 400, forget: true });
    await sessions.input("exec-1", Readable.from(["bytes"]), new AbortController().signal);
    assert.deepEqual(asked, [
      `POST /v1/sessions? ${JSON.stringify({ ...request, asRoot: false })}`,
      "GET /v1/sessions? ",
      "GET /v1/sessions?id=exec-1 ",
      "POST /v1/sessions/kill?id=exec-1&signal=15 ",
      "GET /v1/sessions/result?id=exec-1&waitMilliseconds=400&forget=1 ",
      "POST /v1/sessions/input?id=exec-1 bytes",
    ]);
    await end();
  });

  test("passes the stream of a session on unchanged, and an abort ends it", async () => {
    const { sessions, end } = await scenario((incoming, response) => {
      if (incoming.url?.endsWith("ended")) response.end("bytes");
      else response.write("begun");
    });
    const controller = new AbortController();
    assert.equal(String(await buffer(await sessions.output("ended", controller.signal))), "bytes");
    const open = await sessions.output("open", controller.signal);
    const [first] = await once(open, "data");
    assert.equal(String(first), "begun");
    controller.abort();
    await assert.rejects(buffer(open));
    await end();
  });

  const hostile: [string, unknown][] = [
    ["an id that leads elsewhere", { ...session, id: "../x" }],
    ["no command", { ...session, command: [] }],
    ["an invalid time", { ...session, startedAtUnixMilliseconds: 1e300 }],
    ["a negative count", { ...session, attachedClients: -1 }],
    ["a list", [session]],
  ];
  for (const [what, body] of hostile) {
    test(`${what} from a guest is guest_failed`, async () => {
      const { sessions, end } = await scenario((_, response) => response.end(JSON.stringify(body)));
      await assert.rejects(sessions.start(request), isError("guest_failed"));
      await assert.rejects(sessions.get("exec-1"), isError("guest_failed"));
      await end();
    });
  }

  test("an endless response is cut off", async () => {
    const { sessions, end } = await scenario((_, response) => {
      const write = () => {
        while (response.writable && response.write(" ".repeat(65_536)));
      };
      response.on("drain", write);
      write();
    });
    await assert.rejects(sessions.get("exec-1"), isError("guest_failed"));
    await end();
  });

  test("passes session_not_found of the guest on, but not errors that only other processes may report", async () => {
    let code = "session_not_found";
    const { sessions, end } = await scenario((_, response) => {
      response.writeHead(404).end(JSON.stringify({ error: "none", code }));
    });
    await assert.rejects(sessions.get("exec-1"), isError("session_not_found"));
    code = "invalid_api_key";
    await assert.rejects(sessions.get("exec-1"), isError("guest_failed"));
    await end();
  });
});
