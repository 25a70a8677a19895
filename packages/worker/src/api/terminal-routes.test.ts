import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import type { AgentTerminalRequest, AgentTerminalSize } from "@opencomputer/protocol/wire";
import { fastify } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import type { AgentTerminals } from "../guest/agent-terminals.ts";
import { terminalRoutes } from "./terminal-routes.ts";

const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";
const startedAt = "2026-01-02T03:04:05.678Z";
const path = `/v1/sandboxes/${sandboxId}/pty`;

/** The routes over a guest that records its calls. */
function scenario(failure?: Error) {
  const opened: AgentTerminalRequest[] = [];
  const sizes: AgentTerminalSize[] = [];
  const hungUp: string[] = [];
  let typed = "";
  const terminal = {
    ...{ id: "pty-1", columns: 80, rows: 24, shell: "/bin/bash", running: false, exitCode: 7 },
    ...{ startedAtUnixMilliseconds: Date.parse(startedAt), attachedClients: 0 },
  };
  const terminals: AgentTerminals = {
    async open(request) {
      if (failure !== undefined) throw failure;
      opened.push(request);
      return terminal;
    },
    list: async () => [terminal],
    get: async () => terminal,
    resize: async (_id, size) => void sizes.push(size),
    hangUp: async (id) => void hungUp.push(id),
    output: async () => Readable.from(["frames"]),
    async input(_id, bytes) {
      for await (const part of bytes) typed += part;
    },
  };
  const server = fastify();
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.register(terminalRoutes, { worker: { sandboxes: { agentOf: () => ({ terminals }) } } });
  return { server, opened, sizes, hungUp, typed: () => typed };
}

describe("terminalRoutes", () => {
  test("open passes size, shell and directory on, and get and list describe the terminal", async () => {
    const { server, opened } = scenario();
    const payload = { cols: 80, rows: 24, shell: "zsh", cwd: "/workspace" };
    const response = await server.inject({ method: "POST", url: path, payload });
    const ids = { sessionID: "pty-1", sandboxID: sandboxId };
    assert.deepEqual([response.statusCode, response.json()], [201, ids]);
    const asked = { columns: 80, rows: 24, shell: "zsh", workingDirectory: "/workspace" };
    assert.deepEqual(opened, [asked]);
    const described = {
      ...{ ...ids, shell: "/bin/bash", cols: 80, rows: 24 },
      ...{ running: false, exitCode: 7, startedAt, attachedClients: 0 },
    };
    assert.deepEqual((await server.inject({ url: `${path}/pty-1` })).json(), described);
    assert.deepEqual((await server.inject({ url: path })).json(), [described]);
  });

  test("sizes out of bounds never reach the guest", async () => {
    const { server, opened, sizes } = scenario();
    for (const payload of [
      { cols: 0, rows: 24 },
      { cols: 80, rows: 10_000 },
    ]) {
      for (const url of [path, `${path}/pty-1/resize`]) {
        assert.equal((await server.inject({ method: "POST", url, payload })).statusCode, 400);
      }
    }
    assert.deepEqual([opened, sizes], [[], []]);
  });

  test("a guest that stops responding leaves the outcome unknown, which clients do not retry", async () => {
    const { server } = scenario(new WireError("guest_failed", "silent"));
    const payload = { cols: 80, rows: 24 };
    const response = await server.inject({ method: "POST", url: path, payload });
    assert.match(response.json().message, /may have run/);
  });

  test("resize, hang up, and bytes in both directions", async () => {
    const { server, sizes, hungUp, typed } = scenario();
    const payload = { cols: 1, rows: 1000 };
    const resize = await server.inject({ method: "POST", url: `${path}/pty-1/resize`, payload });
    assert.deepEqual(
      [resize.statusCode, resize.json(), sizes],
      [200, {}, [{ columns: 1, rows: 1000 }]],
    );
    const output = await server.inject({ url: `${path}/pty-1/output` });
    assert.equal(output.body, "frames");
    const headers = { "content-type": "application/octet-stream" };
    const input = { method: "POST", url: `${path}/pty-1/input`, payload: "keys", headers } as const;
    assert.deepEqual([(await server.inject(input)).statusCode, typed()], [204, "keys"]);
    const ended = await server.inject({ method: "DELETE", url: `${path}/pty-1` });
    assert.deepEqual([ended.statusCode, hungUp], [204, ["pty-1"]]);
  });
});
