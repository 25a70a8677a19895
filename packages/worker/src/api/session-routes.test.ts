import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { type CommandProgress, defaults, limits, WireError } from "@opencomputer/protocol/api";
import type { AgentSessionRequest } from "@opencomputer/protocol/wire";
import { fastify } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import type { AgentSessions } from "../guest/agent-sessions.ts";
import { createKeyedCommands } from "../idempotency/create-keyed-commands.ts";
import { sessionRoutes } from "./session-routes.ts";

const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";
const startedAt = "2026-01-02T03:04:05.678Z";
const path = `/v1/sandboxes/${sandboxId}/exec`;

/** The routes over a guest whose command is in the given state. */
function scenario(progress: CommandProgress, failure?: Error) {
  const asked: AgentSessionRequest[] = [];
  const waits: { waitMilliseconds: number; forget: boolean }[] = [];
  let received = "";
  const session = (request: Pick<AgentSessionRequest, "command" | "shell">) => ({
    ...{ id: "exec-1", ...request, running: true, attachedClients: 0 },
    startedAtUnixMilliseconds: Date.parse(startedAt),
  });
  const sessions: AgentSessions = {
    async start(request) {
      if (failure !== undefined) throw failure;
      asked.push(request);
      return session(request);
    },
    list: async () => asked.map(session),
    get: async () => session({ command: ["true"], shell: true }),
    kill: async () => undefined,
    async result(_, options) {
      waits.push(options);
      return progress;
    },
    output: async () => Readable.from(["frames"]),
    async input(_, bytes) {
      for await (const part of bytes) received += part;
    },
  };
  const server = fastify();
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  const sandboxes = { agentOf: () => ({ sessions }) };
  server.register(sessionRoutes, { worker: { sandboxes }, keyed: createKeyedCommands() });
  return { server, asked, waits, received: () => received };
}

const running = { running: true, stdout: "", stderr: "" };

describe("sessionRoutes", () => {
  test("a key starts a session once, under an id that is derived from it", async () => {
    for (const url of [path, `${path}/run-async`]) {
      const { server, asked } = scenario(running);
      const headers = { "idempotency-key": "key-1" };
      const send = (cmd: string) =>
        server.inject({ method: "POST", url, headers, payload: { cmd } });
      const first = await send("sleep 60");
      assert.deepEqual((await send("sleep 60")).json(), first.json());
      assert.equal(asked.length, 1);
      assert.match(asked[0]?.id ?? "", /^exec-[0-9a-f]{24}$/);
      assert.match(asked[0]?.fingerprint ?? "", /^[0-9a-f]{64}$/);
      await server.inject({ method: "POST", url, payload: { cmd: "sleep 60" } });
      assert.equal(asked[1]?.id, undefined);
    }
  });

  test("a session has no timeout, and keeps output for replay", async () => {
    const { server, asked } = scenario(running);
    const response = await server.inject({ method: "POST", url: path, payload: { cmd: "a b" } });
    assert.equal(response.statusCode, 201);
    assert.deepEqual(response.json(), {
      ...{ sessionID: "exec-1", sandboxID: sandboxId, command: "a b", args: [] },
      ...{ running: true, startedAt, attachedClients: 0 },
    });
    assert.deepEqual(asked, [
      {
        ...{ command: ["a b"], shell: true, environment: {}, workingDirectory: null, input: true },
        ...{ timeoutMilliseconds: 0, maxRunAfterDisconnectMilliseconds: 0, outputBytesMax: 0 },
      },
    ]);
  });

  test("arguments, directory, environment and times are passed on", async () => {
    const { server, asked } = scenario(running);
    const times = { timeout: 0.5, maxRunAfterDisconnect: 0.0001 };
    const payload = { cmd: "a", args: ["b"], envs: { C: "d" }, cwd: "/e", ...times };
    const response = await server.inject({ method: "POST", url: path, payload });
    assert.deepEqual(response.json().args, ["b"]);
    assert.deepEqual(asked[0], {
      ...{ command: ["a", "b"], shell: false, environment: { C: "d" }, workingDirectory: "/e" },
      ...{ input: true, timeoutMilliseconds: 500, maxRunAfterDisconnectMilliseconds: 1 },
      outputBytesMax: 0,
    });
    assert.equal((await server.inject({ url: path })).json()[0].command, "a");
  });

  test("a background command has a timeout and keeps all output; running is 202", async () => {
    const { server, asked, waits } = scenario(running);
    const url = `${path}/run-async`;
    const response = await server.inject({ method: "POST", url, payload: { cmd: "a" } });
    const expected = { execId: "exec-1", running: true, startedAt };
    assert.deepEqual([response.statusCode, response.json()], [202, expected]);
    assert.equal(asked[0]?.input, false);
    assert.equal(asked[0]?.timeoutMilliseconds, defaults.commandTimeoutSeconds * 1000);
    assert.equal(asked[0]?.outputBytesMax, limits.commandOutputBytesMax);
    assert.ok(waits[0]?.forget && waits[0].waitMilliseconds <= 400);
  });

  test("a background command that ended at once is 200 with its result", async () => {
    const result = { stdout: "out", stderr: "", truncated: true };
    const { server } = scenario({ running: false, exitCode: 3, ...result });
    const url = `${path}/run-async`;
    const response = await server.inject({ method: "POST", url, payload: { cmd: "a" } });
    const expected = { exitCode: 3, running: false, ...result };
    assert.deepEqual([response.statusCode, response.json()], [200, expected]);
  });

  test("a guest that stops responding leaves the outcome unknown, which clients do not retry", async () => {
    const { server } = scenario(running, new WireError("guest_failed", "silent"));
    for (const url of [path, `${path}/run-async`]) {
      const response = await server.inject({ method: "POST", url, payload: { cmd: "a" } });
      assert.match(response.json().message, /may have run/);
    }
  });

  test("bytes pass in both directions unchanged", async () => {
    const { server, received } = scenario(running);
    const output = await server.inject({ url: `${path}/exec-1/output` });
    assert.equal(output.body, "frames");
    const sent = await server.inject({
      ...{ method: "POST", url: `${path}/exec-1/input`, payload: "input" },
      headers: { "content-type": "application/octet-stream" },
    });
    assert.equal(sent.statusCode, 204);
    assert.equal(received(), "input");
  });
});
