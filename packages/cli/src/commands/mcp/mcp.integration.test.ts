import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { type ContractServer, startContractServer } from "@opencomputer/sdk/testing";
import { messageBytesMax } from "./create-mcp-server.ts";

const main = fileURLToPath(new URL("../../main.ts", import.meta.url));
const httpClient = fileURLToPath(new URL("../../testing/mcp-http-client.mjs", import.meta.url));
const words = ["--conditions=source", main, "mcp"];

describe("oc mcp", () => {
  let api: ContractServer;
  let environment: Record<string, string>;
  before(async () => {
    api = await startContractServer();
    environment = {
      ...{ PATH: process.env["PATH"] ?? "", HOME: "/nonexistent" },
      ...{ OPENCOMPUTER_API_URL: api.url, OPENCOMPUTER_API_KEY: api.apiKey },
    };
  });
  after(() => api.close());

  describe("on stdin and stdout", () => {
    test("serves the official client", async () => {
      const transport = new StdioClientTransport({
        command: process.execPath,
        args: words,
        env: environment,
        stderr: "pipe",
      });
      const client = new Client({ name: "test", version: "1" });
      await client.connect(transport);
      assert.equal(client.getServerVersion()?.name, "opencomputer");
      const created = await client.callTool({ name: "create_sandbox", arguments: {} });
      const { sandboxId } = JSON.parse(textOf(created)[0] ?? "");
      const input = { sandboxId, command: "echo from the sandbox" };
      const ran = await client.callTool({ name: "exec", arguments: input });
      assert.equal(textOf(ran)[1], "stdout:\nfrom the sandbox\n");
      const missing = { name: "kill_sandbox", arguments: { sandboxId: "sb-none" } };
      assert.equal((await client.callTool(missing)).isError, true);
      await client.callTool({ name: "kill_sandbox", arguments: { sandboxId } });
      await client.close();
    });

    const start = (variables = environment) =>
      spawn(process.execPath, words, { env: variables, stdio: "pipe" });

    test("skips what is no message, reports it on stderr, and ends with its input", async () => {
      const child = start();
      child.stdin.end(`no message\n${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })}\n`);
      const [stdout, stderr, [exitCode]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, "close"),
      ]);
      assert.deepEqual(JSON.parse(stdout), { jsonrpc: "2.0", id: 1, result: {} });
      assert.match(stderr, /^A message was skipped: /);
      assert.equal(exitCode, 0);
    });

    test("ends with an error at a message that is too large", async () => {
      const child = start();
      child.stdin.on("error", () => undefined);
      child.stdin.write("x".repeat(messageBytesMax + 1));
      const [stderr, [exitCode]] = await Promise.all([text(child.stderr), once(child, "close")]);
      assert.match(stderr, /error: A message from the client has more than 10485760 bytes/);
      assert.equal(exitCode, 1);
    });

    test("does not start without a key", async () => {
      const child = start({ ...environment, OPENCOMPUTER_API_KEY: "" });
      const [stderr, [exitCode]] = await Promise.all([text(child.stderr), once(child, "close")]);
      assert.match(stderr, /^error: No API key/);
      assert.equal(exitCode, 1);
    });
  });

  describe("over HTTP", () => {
    let child: ChildProcessWithoutNullStreams;
    let url: string;
    before(async () => {
      child = spawn(process.execPath, [...words, "--http", "0", "--json"], { env: environment });
      let printed = "";
      for await (const line of createInterface({ input: child.stdout })) {
        printed += line;
        if (line === "}") break;
      }
      ({ url } = JSON.parse(printed));
    });
    after(async () => {
      const ended = once(child, "close");
      child.kill("SIGTERM");
      assert.deepEqual(await ended, [0, null]);
    });

    /** Sends a request for the list of tools with these fields. */
    async function send(
      fields: Record<string, string>,
      options: { method?: string; path?: string; body?: string } = {},
    ) {
      const { method = "POST", path = "/mcp", body } = options;
      const sent = request(new URL(path, url), {
        method,
        headers: {
          authorization: `Bearer ${api.apiKey}`,
          accept: "application/json, text/event-stream",
          "content-type": "application/json",
          ...fields,
        },
      });
      const list = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };
      sent.end(body ?? JSON.stringify(list));
      const [response] = await once(sent, "response");
      const read = await text(response);
      return { status: Number(response.statusCode), headers: response.headers, body: read };
    }

    test("serves the official client", async () => {
      assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
      const child = spawn(process.execPath, [httpClient, url, api.apiKey]);
      const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
      assert.equal(stderr, "");
      const { server, ran, missing } = JSON.parse(stdout);
      assert.equal(server, "opencomputer");
      assert.equal(ran.texts[1], "stdout:\nfrom the sandbox\n");
      assert.equal(missing.isError, true);
      assert.match(missing.texts.join("\n"), /code: sandbox_not_found/);
    });

    test("serves loopback hosts with the key, and no other", async () => {
      const port = new URL(url).port;
      for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) {
        const own = await send({ host });
        assert.equal(own.status, 200, host);
        assert.match(own.body, /create_sandbox/);
        assert.equal((await send({ host, origin: `http://${host}` })).status, 200);
      }
      for (const host of ["evil.test", `evil.test:${port}`, "127.0.0.1.evil.test", "10.0.0.1"]) {
        const foreign = await send({ host });
        assert.equal(foreign.status, 403, host);
        assert.doesNotMatch(foreign.body, /create_sandbox/);
      }
    });

    test("refuses pages of other origins, and permits no preflight", async () => {
      const port = new URL(url).port;
      for (const origin of [
        "http://evil.test",
        "null",
        "http://localhost:1",
        "https://127.0.0.1",
      ]) {
        const foreign = await send({ origin });
        assert.equal(foreign.status, 403, origin);
        assert.match(foreign.body, /may not call this server/);
      }
      const origin = `http://127.0.0.1:${port}`;
      const preflight = { origin, "access-control-request-method": "POST", authorization: "" };
      const { status, headers } = await send(preflight, { method: "OPTIONS", body: "" });
      assert.equal(status, 401);
      assert.equal(headers["access-control-allow-origin"], undefined);
    });

    test("needs the key", async () => {
      for (const authorization of [
        "",
        "Bearer ",
        api.apiKey,
        `Bearer ${api.apiKey.slice(0, -1)}`,
        `Bearer ${api.apiKey}x`,
        `Basic ${api.apiKey}`,
      ]) {
        const refused = await send({ authorization });
        assert.equal(refused.status, 401, authorization);
        assert.match(String(refused.headers["www-authenticate"]), /^Bearer /);
        assert.ok(!refused.body.includes(api.apiKey));
      }
    });

    test("keeps no session, and serves nothing else", async () => {
      for (const method of ["GET", "DELETE"]) {
        const { status, headers } = await send({}, { method, body: "" });
        assert.deepEqual([status, headers["allow"]], [405, "POST"]);
      }
      assert.equal((await send({}, { path: "/" })).status, 404);
      assert.equal((await send({}, { body: "{" })).status, 400);
      const large = await send({}, { body: "x".repeat(messageBytesMax + 1) });
      assert.equal(large.status, 413);
    });

    test("names the port that is in use", async () => {
      const second = spawn(process.execPath, [...words, "--http", new URL(url).port], {
        env: environment,
      });
      const [stderr, [exitCode]] = await Promise.all([text(second.stderr), once(second, "close")]);
      assert.match(stderr, /^error: Cannot listen on port \d+: .*EADDRINUSE/);
      assert.equal(exitCode, 1);
    });
  });
});

function textOf(result: Awaited<ReturnType<Client["callTool"]>>): string[] {
  const content: unknown = result["content"];
  assert.ok(Array.isArray(content));
  return content.map((part: unknown) => {
    assert.ok(typeof part === "object" && part !== null && "text" in part);
    return String(part.text);
  });
}
