import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from "node:http";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  readMemory,
  resetPeakMemory,
  type Scenario,
  startSharedScenario,
} from "@opencomputer/harness";
import type { Sandbox } from "@opencomputer/sdk";
import { WebSocket } from "ws";

const mebi = 1024 * 1024;
const growthBytesMax = 64 * mebi;
const port = 8000;
const program = fileURLToPath(new URL("../packages/cli/bin/oc.js", import.meta.url));

describe("previews", () => {
  let scenario: Scenario;
  let open: Sandbox;
  let guarded: Sandbox;
  let token: string;

  before(async () => {
    scenario = await startSharedScenario();
    open = await scenario.createSandbox();
    guarded = await scenario.createSandbox({ previewAuth: { token: "auto" } });
    token = guarded.info.previewAuthToken ?? "";
    const server = await readFile(new URL("./preview-server.py", import.meta.url), "utf8");
    for (const sandbox of [open, guarded]) {
      await sandbox.files.write("/tmp/server.py", server);
      await sandbox.exec.startDetached("exec python3 /tmp/server.py");
      await sandbox.createPreviewURL({ port });
    }
    for (const sandbox of [open, guarded]) {
      const headers = { "x-oc-preview-token": token };
      while ((await visit(sandbox, "/", { headers })).status === 502);
    }
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const hostOf = (sandbox: Sandbox, ofPort = port) =>
    `${sandbox.sandboxId}-p${ofPort}.${sandbox.info.sandboxDomain}`;

  /** `*.localhost` is this machine for browsers and curl; not every resolver knows it. */
  function send(host: string, path: string, options: RequestOptions = {}): ClientRequest {
    const { hostname, port: apiPort } = new URL(scenario.connection.apiUrl);
    const headers = { ...options.headers, host };
    return request({ hostname, port: apiPort, path, agent: false, ...options, headers });
  }
  const responseTo = (sent: ClientRequest) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      sent.once("response", resolve);
      sent.once("error", reject);
    });
  async function visitHost(
    host: string,
    path: string,
    options: RequestOptions = {},
    body?: Buffer,
  ) {
    const sent = send(host, path, options);
    const response = responseTo(sent);
    sent.end(body);
    const { statusCode: status, headers } = await response;
    return { status, headers, text: await text(await response) };
  }
  const visit = (sandbox: Sandbox, path: string, options?: RequestOptions, body?: Buffer) =>
    visitHost(hostOf(sandbox), path, options, body);

  test("a server on the loopback is reached under the preview's host, which it sees", async () => {
    const response = await visit(open, "/headers", { headers: { "x-forwarded-for": "6.6.6.6" } });
    const {
      Host,
      "X-Forwarded-For": address,
      "X-Forwarded-Host": host,
    } = JSON.parse(response.text);
    assert.deepEqual([Host, address, host], [hostOf(open), "127.0.0.1", hostOf(open)]);
    assert.deepEqual(response.headers["set-cookie"], ["own=1; Path=/"]);
  });

  test("a preview's host serves nothing of the API, and no other preview", async () => {
    const headers = { "x-api-key": scenario.connection.apiKey };
    const path = `/api/sandboxes/${open.sandboxId}`;
    assert.equal((await visit(open, path, { headers })).text, "hello from the sandbox");
    for (const host of [hostOf(open, 8001), "sb-x.sandbox.localhost", `x.${hostOf(open)}`]) {
      const response = await visitHost(host, path, { headers });
      assert.deepEqual(
        [response.status, response.text],
        [404, '{"error":"not found","code":"not_found"}'],
      );
    }
  });

  test("where nothing listens, a browser gets a page and others JSON", async () => {
    await open.createPreviewURL({ port: 8001 });
    const json = await visitHost(hostOf(open, 8001), "/");
    assert.deepEqual([json.status, JSON.parse(json.text).code], [502, "port_not_listening"]);
    const page = await visitHost(hostOf(open, 8001), "/", { headers: { accept: "text/html" } });
    assert.match(page.text, /Nothing listens on port 8001/);
  });

  test("the token opens a preview and does not reach the sandbox; a rotation takes effect at once", async () => {
    const none = await visit(guarded, "/");
    assert.deepEqual(
      [none.status, none.text],
      [401, '{"error":"preview URL requires authentication"}'],
    );
    assert.equal(none.headers["www-authenticate"], 'Bearer realm="preview"');
    const withToken = (value: string) => ({ headers: { authorization: `Bearer ${value}` } });
    const seen = await visit(guarded, "/headers", withToken(token));
    assert.equal(seen.status, 200);
    assert.ok(!seen.text.includes(token));
    const rotated = await guarded.rotatePreviewAuth();
    const wrong = await visit(guarded, "/", withToken(token));
    assert.deepEqual([wrong.status, wrong.text], [401, '{"error":"invalid preview token"}']);
    token = rotated.previewAuthToken;
    assert.equal((await visit(guarded, "/", withToken(token))).status, 200);
  });

  test("the link of oc becomes a cookie, once", async () => {
    const args = [program, "preview", "open", guarded.sandboxId, "--port", String(port)];
    const env = {
      ...process.env,
      OPENCOMPUTER_API_URL: scenario.connection.apiUrl,
      OPENCOMPUTER_API_KEY: scenario.connection.apiKey,
    };
    const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
    assert.match(stderr, /works once/);
    const url = new URL(stdout.trim());
    assert.equal(url.hostname, hostOf(guarded));
    const opened = await visit(guarded, url.pathname + url.search);
    assert.equal(opened.status, 303);
    const cookie = opened.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
    const seen = await visit(guarded, "/headers", { headers: { cookie } });
    assert.equal(seen.status, 200);
    assert.ok(!seen.text.includes("oc_preview"));
    assert.equal((await visit(guarded, url.pathname + url.search)).status, 401);
  });

  test("an event arrives before the next is sent", async () => {
    const sent = send(hostOf(open), "/events");
    const response = responseTo(sent);
    sent.end();
    let received = "";
    for await (const part of await response) {
      received += part;
      if (received === "data: first\n\n") await visit(open, "/go");
    }
    assert.equal(received, "data: first\n\ndata: second\n\n");
  });

  test("a WebSocket passes in both directions", async () => {
    const { host } = new URL(scenario.connection.apiUrl);
    const socket = new WebSocket(`ws://${host}/echo`, { headers: { host: hostOf(open) } });
    const messages: string[] = [];
    await new Promise<void>((resolve, reject) => {
      socket.on("open", () => socket.send("one"));
      socket.on("message", (data) => {
        messages.push(String(data));
        if (messages.length === 2) socket.close(1000);
        else socket.send("two");
      });
      socket.on("close", () => resolve());
      socket.on("error", reject);
    });
    assert.deepEqual(messages, ["one", "two"]);
  });

  test("an upload arrives unchanged", async () => {
    const body = Buffer.alloc(20 * mebi, "preview ");
    const headers = { "content-length": String(body.length) };
    const response = await visit(open, "/", { method: "PUT", headers }, body);
    assert.equal(response.text, createHash("sha256").update(body).digest("hex"));
  });

  test("120 MiB are downloaded at a slow visitor's pace in constant memory", async (t) => {
    const pids = await Promise.all(
      (["control-plane", "worker"] as const).map(async (name) => {
        const [pid = 0] = await scenario.installation.pidsOf(name);
        return [name, pid] as const;
      }),
    );
    const download = async (bytes: number) => {
      const sent = send(hostOf(open), `/zeros?${bytes}`);
      const response = responseTo(sent);
      sent.end();
      let received = 0;
      for await (const part of await response) {
        received += part.length;
        // A visitor that stops for a moment now and then.
        if (received % (16 * mebi) < part.length) await new Promise((done) => setTimeout(done, 50));
      }
      assert.equal(received, bytes);
    };
    await download(32 * mebi);
    const before = await Promise.all(pids.map(async ([, pid]) => (await readMemory(pid)).now));
    for (const [, pid] of pids) await resetPeakMemory(pid);
    await download(120 * mebi);
    for (const [index, [name, pid]] of pids.entries()) {
      const grown = (await readMemory(pid)).peak - (before[index] ?? 0);
      t.diagnostic(`${name} grew by ${Math.round(grown / mebi)} MiB`);
      assert.ok(grown < growthBytesMax, `${name} grew by ${grown} bytes`);
    }
  });

  test("a request wakes a hibernated sandbox, whose server continues", async () => {
    await open.hibernate();
    assert.equal((await visit(open, "/")).text, "hello from the sandbox");
    assert.equal((await open.getInfo()).status, "running");
  });

  test("the host of a killed sandbox reveals nothing", async () => {
    await guarded.kill();
    const response = await visit(guarded, "/");
    assert.deepEqual(
      [response.status, response.text],
      [404, '{"error":"not found","code":"not_found"}'],
    );
  });
});
