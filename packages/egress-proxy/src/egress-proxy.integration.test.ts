import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { errorBodySchema } from "@opencomputer/protocol/api";
import { egressPorts, serviceLimits } from "@opencomputer/protocol/wire";
import { WebSocket } from "ws";
import type { CurlResult } from "./testing/curl.ts";
import {
  addresses,
  anywhere,
  closeOf,
  type EgressProxyScenario,
  key,
  startEgressProxyScenario,
} from "./testing/egress-proxy-scenario.ts";
import { otherSandboxId, testSandboxId } from "./testing/sessions.ts";

const mebibyte = 1024 * 1024;
const rotated = "canary-rotated-m4Tz8Rq2Wx7Lp9Kc";

describe("egress proxy, requests", () => {
  let scenario: EgressProxyScenario;
  before(async () => {
    scenario = await startEgressProxyScenario();
    await scenario.startProxy();
    await scenario.giveAuthority();
  });
  after(() => scenario.stop());

  function refusal(result: CurlResult, status: number, code: string): string {
    assert.equal(result.status, status, `${result.body}\n${result.verbose}`);
    const body = errorBodySchema.parse(JSON.parse(result.body));
    assert.equal(body.code, code);
    return body.error;
  }

  describe("substitution", () => {
    before(() => scenario.giveSession());

    test("header: an allowed host gets the value, and the audit line has names only", async () => {
      const result = await scenario.curlHttps([
        "https://api.example.com/echo",
        "-H",
        `x-api-key: ${key.token}`,
      ]);
      assert.equal(result.status, 200, result.verbose);
      assert.equal(scenario.upstream.last().headers["x-api-key"], key.value);
      const line = await scenario.proxy.auditLine(({ path }) => path === "/echo");
      assert.deepEqual([line.substituted, line.withheld], [["API_KEY"], []]);
      assert.equal(line.sandboxId, testSandboxId);
    });

    test("header: another host of the allowlist gets the token", async () => {
      await scenario.curlHttps([
        "https://other.example.com/withheld",
        "-H",
        `x-api-key: ${key.token}`,
      ]);
      assert.equal(scenario.upstream.last().headers["x-api-key"], key.token);
      const line = await scenario.proxy.auditLine(({ path }) => path === "/withheld");
      assert.deepEqual(
        [line.substituted, line.withheld],
        [[], [{ name: "API_KEY", place: "header x-api-key" }]],
      );
    });

    test("body and Basic credentials: an allowed host gets the value, another the token", async () => {
      const args = ["--user", `me:${key.token}`, "--data", `{"key":"${key.token}"}`];
      const type = ["-H", "content-type: application/json"];
      await scenario.curlHttps(["https://api.example.com/", ...args, ...type]);
      const allowed = scenario.upstream.last();
      assert.equal(allowed.body, `{"key":"${key.value}"}`);
      assert.equal(Number(allowed.headers["content-length"]), allowed.bodyBytes);
      assert.equal(
        allowed.headers.authorization,
        `Basic ${Buffer.from(`me:${key.value}`).toString("base64")}`,
      );
      await scenario.curlHttps(["https://other.example.com/", ...args, ...type]);
      const denied = scenario.upstream.last();
      assert.equal(denied.body, `{"key":"${key.token}"}`);
      assert.ok(!JSON.stringify(denied).includes(key.value));
    });

    test("a secret without host limits is usable wherever the sandbox may go", async () => {
      await scenario.curlHttps([
        "https://third.example.com/",
        "-H",
        `x-api-key: ${anywhere.token}`,
      ]);
      assert.equal(scenario.upstream.last().headers["x-api-key"], anywhere.value);
    });

    test("plain HTTP never carries a value", async () => {
      const result = await scenario.curlHttp([
        "http://api.example.com/",
        "-H",
        `x-api-key: ${key.token}`,
      ]);
      assert.equal(result.status, 200, result.verbose);
      assert.equal(scenario.upstream.last().headers["x-api-key"], key.token);
    });

    test("a value that is echoed comes back as its token", async () => {
      const result = await scenario.curlHttps([
        ...["https://api.example.com/echo", "-H", `x-api-key: ${key.token}`],
        ...["--data", `say ${key.token}`],
      ]);
      assert.equal(scenario.upstream.last().body, `say ${key.value}`);
      assert.ok(result.body.includes(key.token));
      assert.ok(!result.body.includes(key.value) && !result.verbose.includes(key.value));
    });

    test("a second PUT rotates for the next request", async () => {
      await scenario.giveSession({ secrets: [{ ...key, value: rotated }] });
      await scenario.curlHttps(["https://api.example.com/", "-H", `x-api-key: ${key.token}`]);
      assert.equal(scenario.upstream.last().headers["x-api-key"], rotated);
      await scenario.giveSession();
    });

    test("a revoked secret's token stays a token, and the response states why", async () => {
      const { name, token } = key;
      await scenario.giveSession({
        secrets: [],
        formerSecrets: [key],
        revokedSecrets: [{ name, token }],
      });
      const result = await scenario.curlHttps([
        ...["https://api.example.com/echo", "-H", `x-api-key: ${token}`],
        ...["-H", `x-other: ${key.value}`, "--data", `say ${token}`],
      ]);
      const { headers, body } = scenario.upstream.last();
      assert.deepEqual([headers["x-api-key"], body], [token, `say ${token}`]);
      assert.match(
        result.verbose,
        /OpenComputer-Egress: withheld=API_KEY \(header x-api-key\), API_KEY \(body\); revoked=API_KEY/i,
      );
      assert.equal(headers["x-other"], key.value, "the guest itself sent it");
      assert.ok(!result.body.includes(key.value), "what comes back is still redacted");
      await scenario.giveSession();
    });

    test("a revocation ends a request in progress, which could still carry the value", async () => {
      const { name, token } = key;
      const seenBefore = scenario.upstream.seen.length;
      const guest = scenario.openTls("api.example.com");
      const closed = closeOf(guest);
      await once(guest, "secureConnect");
      const head = "POST /slow HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 200\r\n\r\n";
      guest.write(`${head}a ${token} `);
      await scenario.giveSession({
        secrets: [],
        formerSecrets: [key],
        revokedSecrets: [{ name, token }],
      });
      await closed;
      assert.equal(scenario.upstream.seen.length, seenBefore, "no request was completed");
      await scenario.giveSession();
    });

    test("a token of one sandbox is nothing in another", async () => {
      await scenario.giveSession({
        sandboxId: otherSandboxId,
        sourceAddress: addresses.neighbour,
        secrets: [],
      });
      await scenario.curlHttps(["https://api.example.com/", "-H", `x-api-key: ${key.token}`], {
        guestAddress: addresses.neighbour,
      });
      assert.equal(scenario.upstream.last().headers["x-api-key"], key.token);
      await scenario.endSession(otherSandboxId);
    });
  });

  describe("policy", () => {
    before(() => scenario.giveSession());

    test("a host outside the allowlist is refused with a reason, one inside is served", async () => {
      assert.equal((await scenario.curlHttps(["https://api.example.com/"])).status, 200);
      const before = scenario.upstream.seen.length;
      const result = await scenario.curlHttps(["https://evil.test/"]);
      assert.match(
        refusal(result, 403, "egress_host_not_allowed"),
        /egress to evil\.test is not allowed: .*\*\.example\.com/,
      );
      assert.equal(scenario.upstream.seen.length, before);
    });

    test("over plain HTTP too", async () => {
      assert.equal((await scenario.curlHttp(["http://api.example.com/"])).status, 200);
      refusal(await scenario.curlHttp(["http://evil.test/"]), 403, "egress_host_not_allowed");
    });

    test("the refusal can be read while a large body is still being sent", async () => {
      const stdin = Readable.from(zeros(8 * mebibyte));
      const result = await scenario.curlHttps(["https://evil.test/", "-T", "-", "-X", "POST"], {
        stdin,
      });
      refusal(result, 403, "egress_host_not_allowed");
    });

    test("a Host header that is not the TLS server name is 421", async () => {
      const result = await scenario.curlHttps([
        "https://api.example.com/",
        "-H",
        "Host: other.example.com",
      ]);
      assert.equal(result.status, 421, result.verbose);
      const same = await scenario.curlHttps([
        "https://api.example.com/",
        "-H",
        "Host: API.example.com:443",
      ]);
      assert.equal(same.status, 200, same.verbose);
    });

    test("an upstream certificate that cannot be trusted is 502, and nothing is sent", async () => {
      const before = scenario.upstream.seen.length;
      const unknown = await scenario.curlHttps(["https://unknown-ca.example.com/"]);
      assert.match(refusal(unknown, 502, "certificate_invalid"), /CA that the proxy does not know/);
      const wrong = await scenario.curlHttps(["https://wrong-name.example.com/"]);
      assert.match(refusal(wrong, 502, "certificate_invalid"), /for another name/);
      // The names in its certificate are the upstream's words.
      assert.doesNotMatch(wrong.body + scenario.output(), /other\.example\.org|Unknown CA/);
      assert.equal(scenario.upstream.seen.length, before);
    });

    test("a private address is refused, by name and by number", async () => {
      await scenario.giveSession({ mode: "intercepted", egressAllowlist: [] });
      const byName = await scenario.curlHttps(["https://private.example.org/"]);
      assert.match(
        refusal(byName, 403, "address_refused"),
        /10\.1\.2\.3 \(private\).*OPENCOMPUTER_EGRESS_HOSTS/,
      );
      const byNumber = await scenario.curlHttp([`http://127.0.0.1/`]);
      assert.match(refusal(byNumber, 403, "address_refused"), /127\.0\.0\.1 \(loopback\)/);
      const metadata = await scenario.curlHttp([`http://169.254.169.254/`]);
      refusal(metadata, 403, "address_refused");
      await scenario.giveSession();
    });

    test("an address without a session gets nothing", async () => {
      const before = scenario.upstream.seen.length;
      for (const send of [scenario.curlHttps, scenario.curlHttp]) {
        const scheme = send === scenario.curlHttps ? "https" : "http";
        const result = await send([`${scheme}://api.example.com/`], {
          guestAddress: addresses.stranger,
        });
        assert.equal(result.status, 0);
        assert.notEqual(result.exitCode, 0);
      }
      assert.equal(scenario.upstream.seen.length, before);
      const line = await scenario.proxy.auditLine(
        ({ sourceAddress }) => sourceAddress === addresses.stranger,
      );
      assert.equal(line.decision, "refused");
    });

    test("a client that does not trust the CA refuses, and the audit states it", async () => {
      const roots = ["--cacert", scenario.environment.OPENCOMPUTER_EGRESS_CA_FILE];
      const result = await scenario.curlHttps([...roots, "https://third.example.com/"]);
      assert.equal(result.exitCode, 60);
      const line = await scenario.proxy.auditLine(({ kind }) => kind === "tls");
      await scenario.proxy.auditLine(({ reason }) => reason?.includes("does not trust") === true);
      assert.equal(line.decision, "refused");
    });

    test("the end of a session ends its open connections", async () => {
      const socket = scenario.openTls("api.example.com");
      await once(socket, "secureConnect");
      socket.on("error", () => socket.destroy());
      const closed = closeOf(socket);
      await scenario.endSession(testSandboxId);
      await closed;
      assert.equal((await scenario.curlHttps(["https://api.example.com/"])).status, 0);
      await scenario.giveSession();
    });
  });

  describe("HTTP/1.1", () => {
    before(() => scenario.giveSession());

    test("keep-alive: several requests share both connections", async () => {
      const url = "https://api.example.com/keep";
      const result = await scenario.curlHttps([url, url, url]);
      assert.equal((result.verbose.match(/Re-using existing connection/g) ?? []).length, 2);
      const numbers = scenario.upstream.seen.slice(-3).map(({ connection }) => connection);
      assert.equal(new Set(numbers).size, 1);
    });

    test("chunked both ways, with a trailer", async () => {
      const stdin = Readable.from([`one ${key.token.slice(0, 20)}`, `${key.token.slice(20)} two`]);
      const result = await scenario.curlHttps(
        ["https://api.example.com/chunks", "-T", "-", "-X", "POST", "--include"],
        { stdin },
      );
      assert.equal(scenario.upstream.last().body, `one ${key.value} two`);
      assert.match(result.body, /\r\n\r\none two x-trailer: three\r\n/i);
    });

    test("100-continue", async () => {
      const result = await scenario.curlHttps([
        ...["https://api.example.com/digest", "-H", "Expect: 100-continue"],
        ...["--data", key.token],
      ]);
      assert.match(result.verbose, /< HTTP\/1\.1 100 Continue/);
      assert.equal(result.body, createHash("sha256").update(key.value).digest("hex"));
    });

    test("HEAD has the length and no body", async () => {
      const result = await scenario.curlHttps(["--head", "https://api.example.com/zeros?bytes=12"]);
      assert.equal(result.status, 200);
      assert.match(result.verbose, /< content-length: 12/i);
    });

    test("a WebSocket passes through, its handshake and messages substituted and redacted", async () => {
      const webSocket = new WebSocket("wss://api.example.com/socket", {
        createConnection: () => scenario.openTls("api.example.com"),
        headers: { "x-api-key": key.token },
      });
      const [headers] = await once(webSocket, "message");
      assert.equal(JSON.parse(String(headers))["x-api-key"], key.token);
      webSocket.send(`over the WebSocket: ${key.token}`);
      const [echo] = await once(webSocket, "message");
      assert.equal(String(echo), `over the WebSocket: ${key.token}`);
      webSocket.close();
      const line = await scenario.proxy.auditLine(({ path }) => path === "/socket");
      assert.deepEqual([line.status, line.substituted], [101, ["API_KEY"]]);
      assert.deepEqual(line.redacted, ["API_KEY"]);
    });

    test("an upgrade to another protocol is refused", async () => {
      const result = await scenario.curlHttps([
        ...["https://api.example.com/tunnel", "-H", `x-api-key: ${key.token}`],
        ...["-H", "Connection: Upgrade", "-H", "Upgrade: made-up"],
      ]);
      assert.match(refusal(result, 403, "upgrade_refused"), /only an upgrade to websocket/);
    });

    test("200 MiB up and down in bounded memory", async () => {
      await scenario.curlHttps(["https://api.example.com/digest", "--data", "warm"]);
      const residentBefore = scenario.proxy.residentBytes();
      let residentMax = residentBefore;
      const sampling = setInterval(() => {
        residentMax = Math.max(residentMax, scenario.proxy.residentBytes());
      }, 20);
      const up = await scenario.curlHttps(
        ["https://api.example.com/digest", "-T", "-", "-X", "POST"],
        {
          stdin: Readable.from(zeros(200 * mebibyte)),
        },
      );
      const down = await scenario.curlHttps([
        ...[`https://api.example.com/zeros?bytes=${200 * mebibyte}`],
        ...["--output", "/dev/null"],
      ]);
      clearInterval(sampling);
      assert.equal(scenario.upstream.seen.at(-2)?.bodyBytes, 200 * mebibyte);
      assert.equal(up.body, await digestOf(zeros(200 * mebibyte)));
      assert.equal(down.status, 200);
      const growth = residentMax - residentBefore;
      assert.ok(growth < 64 * mebibyte, `grew by ${Math.round(growth / mebibyte)} MiB`);
    });
  });

  describe("too many connections", () => {
    const held: Socket[] = [];
    before(async () => {
      await scenario.giveSession();
      await scenario.giveSession({
        sandboxId: otherSandboxId,
        sourceAddress: addresses.neighbour,
        secrets: [],
      });
      for (let count = 0; count < serviceLimits.egressConnectionsPerSandboxMax; count += 1) {
        const socket = scenario.openTcp(egressPorts.http);
        socket.on("error", () => socket.destroy());
        socket.write("GET / HTTP/1.1\r\nHost: evil.test\r\n");
        held.push(socket);
      }
      await Promise.all(held.map((socket) => once(socket, "connect")));
      // Connected is not yet accepted; this request is served after all of these were.
      const neighbour = await scenario.curlHttp(["http://api.example.com/"], {
        guestAddress: addresses.neighbour,
      });
      assert.equal(neighbour.status, 200, neighbour.verbose);
    });
    after(async () => {
      for (const socket of held) socket.destroy();
      await scenario.endSession(otherSandboxId);
    });

    test("get a reason over TLS and without, while a neighbour is served", async () => {
      for (const curl of [scenario.curlHttps, scenario.curlHttp]) {
        const scheme = curl === scenario.curlHttps ? "https" : "http";
        const url = `${scheme}://api.example.com/`;
        const result = await curl([url]);
        assert.match(refusal(result, 503, "too_many_connections"), /has 256 of 256 connections/);
        assert.match(result.verbose, /< Retry-After: 1/i);
        const neighbour = await curl([url], { guestAddress: addresses.neighbour });
        assert.equal(neighbour.status, 200, neighbour.verbose);
      }
      const line = await scenario.proxy.auditLine(({ status }) => status === 503);
      assert.deepEqual([line.decision, line.sandboxId], ["refused", testSandboxId]);
    });

    test("get a reason over HTTP/2", async () => {
      // A host of which it is not known yet that it speaks HTTP/1.1 alone.
      const result = await scenario.curlHttps(["--http2", "https://new.example.com/"]);
      refusal(result, 503, "too_many_connections");
      assert.match(result.verbose, /< HTTP\/2 503/);
    });

    test("take the place of those that are kept alive without a request", async () => {
      for (const socket of held) socket.write("\r\n");
      await Promise.all(held.map((socket) => once(socket, "data")));
      const result = await scenario.curlHttps(["https://api.example.com/"]);
      assert.equal(result.status, 200, result.verbose);
      assert.equal(held.filter((socket) => socket.readableEnded).length, 1);
    });
  });

  test("no value was ever printed", () => {
    const output = scenario.output();
    assert.match(output, /"decision":"allowed".*"substituted":\["API_KEY"\]/);
    assert.doesNotMatch(output, /canary|BEGIN PRIVATE/);
  });
});

function* zeros(bytes: number): Generator<Buffer> {
  const piece = Buffer.alloc(64 * 1024);
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}

async function digestOf(pieces: Iterable<Buffer>): Promise<string> {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}
