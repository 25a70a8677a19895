import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import {
  type EgressSession,
  egressPorts,
  egressProxyStatusSchema,
  errorBodySchema,
} from "@opencomputer/protocol";
import { createTestAuthority, type TestAuthority } from "./testing/certificates.ts";
import { type Curl, type CurlResult, createCurl } from "./testing/curl.ts";
import { askResolver } from "./testing/dns-client.ts";
import {
  type EgressProxyProcess,
  startEgressProxyProcess,
} from "./testing/egress-proxy-process.ts";
import { startNameserver, type TestNameserver } from "./testing/nameserver.ts";
import { otherSandboxId, testSandboxId, testSecret, testSession } from "./testing/sessions.ts";
import { startUpstreamServer, type UpstreamServer } from "./testing/upstream-server.ts";

/** Loopback addresses of this run's own, so that runs at the same time do not meet. */
const subnet = `127.${100 + (process.pid % 100)}.${Math.floor(process.pid / 100) % 250}`;
const proxyAddress = `${subnet}.1`;
const nameserverAddress = `${subnet}.53`;
const guestAddress = `${subnet}.7`;
const neighbourAddress = `${subnet}.8`;
const strangerAddress = `${subnet}.9`;

const key = testSecret("a", { name: "API_KEY", allowedHosts: ["api.example.com"] });
const anywhere = testSecret("b", { name: "ANYWHERE" });
const mebibyte = 1024 * 1024;

describe("egress proxy", () => {
  const directory = mkdtempSync(join(tmpdir(), "egress-proxy-"));
  const environment = {
    OPENCOMPUTER_EGRESS_PROXY_SOCKET: join(directory, "control.sock"),
    OPENCOMPUTER_EGRESS_ADDRESS: proxyAddress,
    OPENCOMPUTER_EGRESS_CA_FILE: join(directory, "roots.pem"),
    OPENCOMPUTER_EGRESS_RESOLV_CONF: join(directory, "resolv.conf"),
  };
  let installation: TestAuthority;
  let upstream: UpstreamServer;
  let nameserver: TestNameserver;
  let proxy: EgressProxyProcess;
  let curl: Curl;
  let egressHosts = "";
  const started: EgressProxyProcess[] = [];

  before(async () => {
    installation = await createTestAuthority({ name: "Installation CA" });
    const internet = await createTestAuthority({ name: "Internet CA" });
    const stranger = await createTestAuthority({ name: "Unknown CA" });
    upstream = await startUpstreamServer({
      authority: internet,
      certificates: new Map([
        ["unknown-ca.example.com", await stranger.issue({ hosts: ["unknown-ca.example.com"] })],
        ["wrong-name.example.com", await internet.issue({ hosts: ["other.example.org"] })],
      ]),
    });
    nameserver = await startNameserver(
      (query) => {
        const name = query.questions?.[0]?.name ?? "";
        const data = name.startsWith("private") ? "10.1.2.3" : "93.184.216.34";
        return query.questions?.[0]?.type === "A"
          ? { answers: [{ type: "A", class: "IN", name, ttl: 5, data }] }
          : {};
      },
      { host: nameserverAddress, port: 53 },
    );
    writeFileSync(environment.OPENCOMPUTER_EGRESS_CA_FILE, internet.certificatePem);
    writeFileSync(environment.OPENCOMPUTER_EGRESS_RESOLV_CONF, `nameserver ${nameserverAddress}\n`);
    const authorityFile = join(directory, "installation.pem");
    writeFileSync(authorityFile, installation.certificatePem);
    curl = createCurl({ guestAddress, authorityFile });
    egressHosts = ["api", "other", "third", "unknown-ca", "wrong-name"]
      .flatMap((name) => [
        `${name}.example.com:443=127.0.0.1:${upstream.tlsPort}`,
        `${name}.example.com:80=127.0.0.1:${upstream.httpPort}`,
      ])
      .join(",");
    await startProxy();
    await giveAuthority();
  });

  after(async () => {
    await proxy.end("SIGKILL");
    await Promise.all([upstream.close(), nameserver.close()]);
    rmSync(directory, { recursive: true });
  });

  async function startProxy(): Promise<void> {
    proxy = await startEgressProxyProcess({
      ...environment,
      OPENCOMPUTER_EGRESS_HOSTS: egressHosts,
    });
    started.push(proxy);
  }

  async function giveAuthority(): Promise<void> {
    const { certificatePem, privateKeyPem } = installation;
    const answer = await proxy.control("PUT", "/v1/certificate-authority", {
      certificatePem,
      privateKeyPem,
    });
    assert.equal(answer.status, 204, answer.body);
  }

  async function giveSession(changes: Partial<EgressSession> = {}): Promise<void> {
    const session = testSession({
      sourceAddress: guestAddress,
      egressAllowlist: ["*.example.com"],
      secrets: [key, anywhere],
      ...changes,
    });
    const answer = await proxy.control("PUT", `/v1/sessions/${session.sandboxId}`, session);
    assert.equal(answer.status, 204, answer.body);
  }

  const port = (number: number): string[] => ["--connect-to", `::${proxyAddress}:${number}`];
  const https = (args: string[], options?: Parameters<Curl>[1]) =>
    curl([...port(egressPorts.tls), ...args], options);
  const http = (args: string[], options?: Parameters<Curl>[1]) =>
    curl([...port(egressPorts.http), ...args], options);

  function refusal(result: CurlResult, status: number, code: string): string {
    assert.equal(result.status, status, `${result.body}\n${result.verbose}`);
    const body = errorBodySchema.parse(JSON.parse(result.body));
    assert.equal(body.code, code);
    return body.error;
  }

  describe("substitution", () => {
    before(() => giveSession());

    test("header: an allowed host gets the value, and the audit line has names only", async () => {
      const result = await https(["https://api.example.com/echo", "-H", `x-api-key: ${key.token}`]);
      assert.equal(result.status, 200, result.verbose);
      assert.equal(upstream.last().headers["x-api-key"], key.value);
      const line = await proxy.auditLine(({ path }) => path === "/echo");
      assert.deepEqual([line.substituted, line.withheld], [["API_KEY"], []]);
      assert.equal(line.sandboxId, testSandboxId);
    });

    test("header: another host of the allowlist gets the token", async () => {
      await https(["https://other.example.com/withheld", "-H", `x-api-key: ${key.token}`]);
      assert.equal(upstream.last().headers["x-api-key"], key.token);
      const line = await proxy.auditLine(({ path }) => path === "/withheld");
      assert.deepEqual([line.substituted, line.withheld], [[], ["API_KEY"]]);
    });

    test("body and Basic credentials: an allowed host gets the value, another the token", async () => {
      const args = ["--user", `me:${key.token}`, "--data", `{"key":"${key.token}"}`];
      const type = ["-H", "content-type: application/json"];
      await https(["https://api.example.com/", ...args, ...type]);
      const allowed = upstream.last();
      assert.equal(allowed.body, `{"key":"${key.value}"}`);
      assert.equal(Number(allowed.headers["content-length"]), allowed.bodyBytes);
      assert.equal(
        allowed.headers.authorization,
        `Basic ${Buffer.from(`me:${key.value}`).toString("base64")}`,
      );
      await https(["https://other.example.com/", ...args, ...type]);
      const denied = upstream.last();
      assert.equal(denied.body, `{"key":"${key.token}"}`);
      assert.ok(!JSON.stringify(denied).includes(key.value));
    });

    test("a secret without host limits is usable wherever the sandbox may go", async () => {
      await https(["https://third.example.com/", "-H", `x-api-key: ${anywhere.token}`]);
      assert.equal(upstream.last().headers["x-api-key"], anywhere.value);
    });

    test("plain HTTP is never given a value", async () => {
      const result = await http(["http://api.example.com/", "-H", `x-api-key: ${key.token}`]);
      assert.equal(result.status, 200, result.verbose);
      assert.equal(upstream.last().headers["x-api-key"], key.token);
    });

    test("a value that is echoed comes back as its token", async () => {
      const result = await https([
        ...["https://api.example.com/echo", "-H", `x-api-key: ${key.token}`],
        ...["--data", `say ${key.token}`],
      ]);
      assert.equal(upstream.last().body, `say ${key.value}`);
      assert.ok(result.body.includes(key.token));
      assert.ok(!result.body.includes(key.value) && !result.verbose.includes(key.value));
    });

    test("a second PUT rotates for the next request", async () => {
      await giveSession({ secrets: [{ ...key, value: "canary-rotated-value" }] });
      await https(["https://api.example.com/", "-H", `x-api-key: ${key.token}`]);
      assert.equal(upstream.last().headers["x-api-key"], "canary-rotated-value");
      await giveSession();
    });

    test("a token of one sandbox is nothing in another", async () => {
      await giveSession({
        sandboxId: otherSandboxId,
        sourceAddress: neighbourAddress,
        secrets: [],
      });
      await https(["https://api.example.com/", "-H", `x-api-key: ${key.token}`], {
        guestAddress: neighbourAddress,
      });
      assert.equal(upstream.last().headers["x-api-key"], key.token);
      await proxy.control("DELETE", `/v1/sessions/${otherSandboxId}`);
    });
  });

  describe("policy", () => {
    before(() => giveSession());

    test("a host outside the allowlist is refused readably, one inside is served", async () => {
      assert.equal((await https(["https://api.example.com/"])).status, 200);
      const before = upstream.seen.length;
      const result = await https(["https://evil.test/"]);
      assert.match(
        refusal(result, 403, "egress_host_not_allowed"),
        /egress to evil\.test is not allowed: .*\*\.example\.com/,
      );
      assert.equal(upstream.seen.length, before);
    });

    test("over plain HTTP too", async () => {
      assert.equal((await http(["http://api.example.com/"])).status, 200);
      refusal(await http(["http://evil.test/"]), 403, "egress_host_not_allowed");
    });

    test("the refusal can be read while a large body is still being sent", async () => {
      const stdin = Readable.from(zeros(8 * mebibyte));
      const result = await https(["https://evil.test/", "-T", "-", "-X", "POST"], { stdin });
      refusal(result, 403, "egress_host_not_allowed");
    });

    test("a Host header that is not the TLS server name is 421", async () => {
      const result = await https(["https://api.example.com/", "-H", "Host: other.example.com"]);
      assert.equal(result.status, 421, result.verbose);
      const same = await https(["https://api.example.com/", "-H", "Host: API.example.com:443"]);
      assert.equal(same.status, 200, same.verbose);
    });

    test("an upstream certificate that cannot be trusted is 502, and nothing is sent", async () => {
      const before = upstream.seen.length;
      const unknown = await https(["https://unknown-ca.example.com/"]);
      assert.match(refusal(unknown, 502, "certificate_invalid"), /CA that the proxy does not know/);
      const wrong = await https(["https://wrong-name.example.com/"]);
      assert.match(refusal(wrong, 502, "certificate_invalid"), /for another name/);
      assert.equal(upstream.seen.length, before);
    });

    test("a private address is refused, by name and by number", async () => {
      await giveSession({ mode: "intercepted", egressAllowlist: [] });
      const byName = await https(["https://private.example.org/"]);
      assert.match(
        refusal(byName, 403, "address_refused"),
        /10\.1\.2\.3 \(private\).*OPENCOMPUTER_EGRESS_HOSTS/,
      );
      const byNumber = await http([`http://127.0.0.1/`]);
      assert.match(refusal(byNumber, 403, "address_refused"), /127\.0\.0\.1 \(loopback\)/);
      const metadata = await http([`http://169.254.169.254/`]);
      refusal(metadata, 403, "address_refused");
      await giveSession();
    });

    test("an address without a session gets nothing", async () => {
      const before = upstream.seen.length;
      for (const send of [https, http]) {
        const scheme = send === https ? "https" : "http";
        const result = await send([`${scheme}://api.example.com/`], {
          guestAddress: strangerAddress,
        });
        assert.equal(result.status, 0);
        assert.notEqual(result.exitCode, 0);
      }
      assert.equal(upstream.seen.length, before);
      const line = await proxy.auditLine(({ sourceAddress }) => sourceAddress === strangerAddress);
      assert.equal(line.decision, "refused");
    });

    test("a client that does not trust the CA refuses, and the audit says so", async () => {
      const roots = ["--cacert", environment.OPENCOMPUTER_EGRESS_CA_FILE];
      const result = await https([...roots, "https://third.example.com/"]);
      assert.equal(result.exitCode, 60);
      const line = await proxy.auditLine(({ kind }) => kind === "tls");
      await proxy.auditLine(({ reason }) => reason?.includes("does not trust") === true);
      assert.equal(line.decision, "refused");
    });

    test("an ended session ends what was open under it", async () => {
      const socket = connectTls({
        socket: connectTcp({
          host: proxyAddress,
          port: egressPorts.tls,
          localAddress: guestAddress,
        }),
        servername: "api.example.com",
        ca: installation.certificatePem,
      });
      await once(socket, "secureConnect");
      socket.on("error", () => socket.destroy());
      const closed = closeOf(socket);
      await proxy.control("DELETE", `/v1/sessions/${testSandboxId}`);
      await closed;
      assert.equal((await https(["https://api.example.com/"])).status, 0);
      await giveSession();
    });
  });

  describe("HTTP/1.1", () => {
    before(() => giveSession());

    test("keep-alive: several requests share both connections", async () => {
      const url = "https://api.example.com/keep";
      const result = await https([url, url, url]);
      assert.equal((result.verbose.match(/Re-using existing connection/g) ?? []).length, 2);
      const numbers = upstream.seen.slice(-3).map(({ connection }) => connection);
      assert.equal(new Set(numbers).size, 1);
    });

    test("chunked both ways, with a trailer", async () => {
      const stdin = Readable.from([`one ${key.token.slice(0, 20)}`, `${key.token.slice(20)} two`]);
      const result = await https(
        ["https://api.example.com/chunks", "-T", "-", "-X", "POST", "--include"],
        { stdin },
      );
      assert.equal(upstream.last().body, `one ${key.value} two`);
      assert.match(result.body, /\r\n\r\none two x-trailer: three\r\n/i);
    });

    test("100-continue", async () => {
      const result = await https([
        ...["https://api.example.com/digest", "-H", "Expect: 100-continue"],
        ...["--data", key.token],
      ]);
      assert.match(result.verbose, /< HTTP\/1\.1 100 Continue/);
      assert.equal(result.body, createHash("sha256").update(key.value).digest("hex"));
    });

    test("HEAD has the length and no body", async () => {
      const result = await https(["--head", "https://api.example.com/zeros?bytes=12"]);
      assert.equal(result.status, 200);
      assert.match(result.verbose, /< content-length: 12/i);
    });

    test("an upgrade passes through, its head substituted", async () => {
      const socket = connectTls({
        socket: connectTcp({
          host: proxyAddress,
          port: egressPorts.tls,
          localAddress: guestAddress,
        }),
        servername: "api.example.com",
        ca: installation.certificatePem,
      });
      socket.setEncoding("utf8");
      socket.write(
        `GET /socket HTTP/1.1\r\nHost: api.example.com\r\nConnection: upgrade\r\nUpgrade: echo\r\nx-api-key: ${key.token}\r\n\r\n`,
      );
      let text = "";
      for await (const chunk of socket) {
        text += chunk;
        if (text.endsWith("}\n")) socket.write("over the tunnel");
        if (text.endsWith("over the tunnel")) break;
      }
      assert.match(text, /^HTTP\/1\.1 101 /);
      assert.match(text, new RegExp(`"x-api-key":"${key.value}"`));
      socket.destroy();
    });

    test("200 MiB up and down in bounded memory", async () => {
      await https(["https://api.example.com/digest", "--data", "warm"]);
      const residentBefore = proxy.residentBytes();
      let residentMax = residentBefore;
      const sampling = setInterval(() => {
        residentMax = Math.max(residentMax, proxy.residentBytes());
      }, 20);
      const up = await https(["https://api.example.com/digest", "-T", "-", "-X", "POST"], {
        stdin: Readable.from(zeros(200 * mebibyte)),
      });
      const down = await https([
        ...[`https://api.example.com/zeros?bytes=${200 * mebibyte}`],
        ...["--output", "/dev/null"],
      ]);
      clearInterval(sampling);
      assert.equal(upstream.seen.at(-2)?.bodyBytes, 200 * mebibyte);
      assert.equal(up.body, await digestOf(zeros(200 * mebibyte)));
      assert.equal(down.status, 200);
      const growth = residentMax - residentBefore;
      assert.ok(growth < 64 * mebibyte, `grew by ${Math.round(growth / mebibyte)} MiB`);
    });
  });

  describe("resolver", () => {
    const ask = (name: string, options: Partial<Parameters<typeof askResolver>[0]> = {}) =>
      askResolver({
        server: { address: proxyAddress, port: egressPorts.dns },
        localAddress: guestAddress,
        transport: "udp",
        name,
        type: "A",
        timeoutMilliseconds: 2_000,
        ...options,
      });
    const gatewayAnswer = { responseCode: 0, data: ["169.254.0.1"] };

    test("allowlisted: every name is the gateway, over UDP and TCP, and nobody is asked", async () => {
      await giveSession();
      const asked = nameserver.asked.length;
      assert.deepEqual(await ask("api.example.com"), gatewayAnswer);
      assert.deepEqual(await ask("evil.test"), gatewayAnswer);
      assert.deepEqual(await ask("evil.test", { transport: "tcp" }), gatewayAnswer);
      assert.deepEqual(await ask("evil.test", { type: "TXT" }), { responseCode: 0, data: [] });
      assert.equal(nameserver.asked.length, asked);
    });

    test("intercepted: names are asked for, private addresses taken out", async () => {
      await giveSession({ mode: "intercepted", egressAllowlist: [] });
      const publicAnswer = { responseCode: 0, data: ["93.184.216.34"] };
      assert.deepEqual(await ask("www.example.org"), publicAnswer);
      assert.deepEqual(await ask("www.example.org", { transport: "tcp" }), publicAnswer);
      assert.deepEqual(await ask("private.example.org"), { responseCode: 0, data: [] });
      assert.deepEqual(await ask("api.example.com"), gatewayAnswer);
      assert.ok(nameserver.asked.includes("A www.example.org"));
      assert.ok(!nameserver.asked.includes("A api.example.com"));
    });

    test("an address without a session gets no answer", async () => {
      const options = { localAddress: strangerAddress, timeoutMilliseconds: 300 };
      assert.equal(await ask("api.example.com", options), undefined);
      assert.equal(await ask("api.example.com", { ...options, transport: "tcp" }), undefined);
    });
  });

  describe("process", () => {
    test("does not open the debugger, and survives garbage on every port", async () => {
      proxy.child.kill("SIGUSR1");
      for (const number of Object.values(egressPorts)) {
        const socket = connectTcp({ host: proxyAddress, port: number, localAddress: guestAddress });
        socket.on("error", () => socket.destroy());
        socket.end(Buffer.alloc(10_000, 0xff));
        await closeOf(socket);
      }
      const status = await proxy.control("GET", "/v1/status");
      assert.equal(status.status, 200);
      assert.ok(!proxy.output().includes("Debugger listening"));
    });

    test("a second proxy cannot take the address or the socket of a living one", async () => {
      await assert.rejects(
        startEgressProxyProcess(environment),
        /cannot start: Cannot listen on tcp .*EADDRINUSE/,
      );
    });

    test("after a crash nothing is sent until it is filled again, then it goes on", async () => {
      await giveSession();
      const { instanceId } = egressProxyStatusSchema.parse(
        JSON.parse((await proxy.control("GET", "/v1/status")).body),
      );
      await proxy.end("SIGKILL");
      await startProxy();
      const before = upstream.seen.length;
      const request = ["https://api.example.com/", "-H", `x-api-key: ${key.token}`];
      assert.equal((await https(request)).status, 0);
      await giveSession();
      assert.equal((await https(request)).status, 0, "there is no CA yet");
      assert.equal(upstream.seen.length, before);
      await giveAuthority();
      assert.equal((await https(request)).status, 200);
      assert.equal(upstream.last().headers["x-api-key"], key.value);
      const status = egressProxyStatusSchema.parse(
        JSON.parse((await proxy.control("GET", "/v1/status")).body),
      );
      assert.notEqual(status.instanceId, instanceId);
    });

    test("ends in order on SIGTERM, and when the process that started it is gone", async () => {
      assert.deepEqual(await proxy.end("SIGTERM"), { code: 0, signal: null });
      await startProxy();
      const ended = once(proxy.child, "exit");
      proxy.child.disconnect();
      assert.deepEqual(await ended, [0, null]);
    });

    const malformed: [string, Record<string, string>, RegExp][] = [
      [
        "a CA file that is not there",
        { OPENCOMPUTER_EGRESS_CA_FILE: "/absent.pem" },
        /OPENCOMPUTER_EGRESS_CA_FILE: \/absent\.pem cannot be read/,
      ],
      [
        "a malformed host table",
        { OPENCOMPUTER_EGRESS_HOSTS: "nonsense" },
        /OPENCOMPUTER_EGRESS_HOSTS: expected host=address:port/,
      ],
      [
        "a malformed address",
        { OPENCOMPUTER_EGRESS_ADDRESS: "here" },
        /OPENCOMPUTER_EGRESS_ADDRESS: /,
      ],
    ];
    for (const [name, change, message] of malformed) {
      test(`refuses to start with ${name}, naming it`, async () => {
        await assert.rejects(startEgressProxyProcess({ ...environment, ...change }), message);
      });
    }

    test("no value was ever printed", () => {
      const output = started.map((one) => one.output()).join("\n");
      assert.match(output, /"audit":true.*"substituted":\["API_KEY"\]/);
      assert.doesNotMatch(output, /canary|BEGIN PRIVATE/);
    });
  });
});

function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.resume().once("close", () => resolve()));
}

function* zeros(bytes: number): Generator<Buffer> {
  const piece = Buffer.alloc(64 * 1024);
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}

async function digestOf(pieces: Iterable<Buffer>): Promise<string> {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}
