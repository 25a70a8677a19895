import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import { errorBodySchema } from "@opencomputer/protocol/api";
import { OpenComputerError, type Sandbox, SecretStore } from "@opencomputer/sdk";

const host = "api.example.test";
const resetHost = "reset.example.test";
const wrongNameHost = "wrong-name.example.test";

describe("bad input gets a clear error, and neither loses nor leaves anything", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;

  before(async () => {
    scenario = await startSharedScenario({
      hosts: [host, resetHost, wrongNameHost],
      handler: (request, response) => {
        if (request.headers.host === resetHost) {
          response.writeHead(200, { "content-length": request.url?.slice(1) });
          response.write("partial");
          setTimeout(() => scenario.internet.reset(request), 50);
          return;
        }
        response.end("ok\n");
      },
    });
    const store = await scenario.createStore({
      egressAllowlist: [host, resetHost, wrongNameHost],
      secrets: { API_KEY: "canary-bad-input-77" },
    });
    sandbox = await scenario.createSandbox({ secretStore: store.name });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const call = async (method: string, path: string, body?: string, key?: string) => {
    const response = await fetch(`${scenario.connection.apiUrl}/api${path}`, {
      method,
      headers: {
        ...(key === "" ? {} : { "x-api-key": key ?? scenario.connection.apiKey }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, body: errorBodySchema.parse(await response.json()) };
  };

  const refusals: [string, () => ReturnType<typeof call>, number, string, RegExp][] = [
    [
      "no key",
      () => call("GET", "/sandboxes", undefined, ""),
      401,
      "missing_api_key",
      /^missing API key$/,
    ],
    [
      "a wrong key",
      () => call("GET", "/sandboxes", undefined, `osb_${"0".repeat(64)}`),
      403,
      "invalid_api_key",
      /^invalid API key$/,
    ],
    [
      "an unknown store",
      () => call("POST", "/sandboxes", '{"secretStore":"none-such"}'),
      400,
      "secret_store_not_found",
      /none-such/,
    ],
    [
      "an unknown project",
      () => call("POST", "/sandboxes", '{"project":"none-such"}'),
      400,
      "project_not_found",
      /^project not found: none-such/,
    ],
    [
      "a malformed host pattern",
      () => call("POST", "/secret-stores", '{"name":"x","egressAllowlist":["https://a.test/"]}'),
      400,
      "invalid_host_pattern",
      /scheme/,
    ],
    [
      "a pattern for a public suffix",
      () => call("POST", "/secret-stores", '{"name":"x","egressAllowlist":["*.com"]}'),
      400,
      "",
      /\*\.com/,
    ],
    [
      "a body that is no JSON",
      () => call("POST", "/secret-stores", "{name"),
      400,
      "invalid_json",
      /JSON/,
    ],
    [
      "a field of another type",
      () => call("POST", "/sandboxes", '{"timeout":"soon"}'),
      400,
      "invalid_request",
      /timeout/,
    ],
    [
      "a preview token of 15 characters",
      () => call("POST", "/sandboxes", '{"previewAuth":{"token":"fifteen-letters"}}'),
      400,
      "invalid_request",
      /previewAuth.*16/,
    ],
    ["an unknown route", () => call("GET", "/none-such"), 404, "not_found", /none-such|route/i],
    [
      "an unknown sandbox",
      () => call("GET", "/sandboxes/sb-aaaaaaaaaaaaaaaaaaaa"),
      404,
      "",
      /sb-aaaa/,
    ],
  ];
  for (const [name, send, status, code, text] of refusals) {
    test(`${name}: ${status}`, async () => {
      const response = await send();
      assert.equal(response.status, status, JSON.stringify(response.body));
      if (code !== "") assert.equal(response.body.code, code);
      assert.match(response.body.error, text);
    });
  }

  test("a file that is absent: 404 that names it", async () => {
    await assert.rejects(sandbox.files.read("/none/such"), (error) => {
      assert.ok(error instanceof OpenComputerError);
      assert.equal(error.status, 404);
      assert.match(error.message, /\/none\/such/);
      return true;
    });
  });

  test("a command that is not found: 127 from the shell, an error for a program", async () => {
    const result = await sandbox.exec.run("none-such-program");
    assert.equal(result.exitCode, 127);
    assert.match(result.stderr, /none-such-program/);
    await assert.rejects(
      sandbox.exec.run("none-such-program", { args: ["x"] }),
      /none-such-program/,
    );
  });

  test("10 MB of stdout arrive completely", async () => {
    const result = await sandbox.exec.run("head -c 10000000 /dev/zero | tr '\\0' x");
    assert.equal(result.stdout.length, 10_000_000);
    assert.equal(result.exitCode, 0);
  });

  test("a command over its time is killed, its group with it, and nothing else", async () => {
    await sandbox.exec.run("nohup sleep 300 > /dev/null 2>&1 &");
    const result = await sandbox.exec.run("sleep 301 & sleep 302", { timeout: 1 });
    assert.equal(result.exitCode, -1);
    assert.match(result.stderr, /\nProcess timed out$/);
    const left = await sandbox.exec.run("pgrep -f 'sleep 30[0-9]' -a");
    assert.match(left.stdout, /sleep 300/);
    assert.doesNotMatch(left.stdout, /sleep 30[12]/);
  });

  test("a command returns when it ends, though a background process holds its output", async () => {
    const result = await sandbox.exec.run("echo before; sleep 200 & echo after");
    assert.equal(result.stdout, "before\nafter\n");
  });

  test("a guest that closes in the middle of its request leaves the proxy serving", async () => {
    await sandbox.exec.run(`python3 - <<'END'
import os, socket, ssl
context = ssl.create_default_context()
s = context.wrap_socket(socket.create_connection(("${host}", 443)), server_hostname="${host}")
s.send(b"POST / HTTP/1.1\\r\\nHost: ${host}\\r\\nContent-Length: 1000\\r\\n\\r\\nhalf")
s.close()
END`);
    const result = await sandbox.exec.run(`curl -sS https://${host}/`);
    assert.equal(result.stdout, "ok\n");
  });

  for (const [size, bytes] of [
    ["that the proxy measures", 1_000_000],
    ["that it streams", 5_000_000],
  ] as const) {
    test(`an upstream that resets in a body ${size} is an error, never a short response taken for complete`, async () => {
      const result = await sandbox.exec.run(
        `curl -sS --fail -o /dev/null https://${resetHost}/${bytes}`,
      );
      assert.notEqual(result.exitCode, 0);
      assert.notEqual(result.stderr, "");
      assert.equal((await sandbox.exec.run(`curl -sS https://${host}/`)).stdout, "ok\n");
    });
  }

  test("an upstream whose certificate has another name is refused, and receives nothing", async () => {
    const before = scenario.internet.requests.length;
    const result = await sandbox.exec.run(
      `curl -sS -w '%{http_code}' https://${wrongNameHost}/ -H "x-api-key: $API_KEY"`,
    );
    assert.match(result.stdout, /certificate.*502$/s);
    assert.equal(scenario.internet.requests.length, before);
  });

  test("the service works after all of this", async () => {
    assert.equal(await sandbox.isRunning(), true);
    const names = (await SecretStore.list(scenario.connection)).map((store) => store.name);
    assert.equal(names.length, 1);
  });
});
