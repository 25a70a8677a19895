import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { errorBodySchema } from "@opencomputer/protocol/api";
import { type ConnectProxy, startConnectProxy } from "./testing/connect-proxy.ts";
import type { CurlResult } from "./testing/curl.ts";
import {
  type EgressProxyScenario,
  key,
  startEgressProxyScenario,
} from "./testing/egress-proxy-scenario.ts";

const password = "canary-Zk3!password";
const secret = { ...key, allowedHosts: ["www.example.org"] };

describe("egress proxy behind an upstream proxy", () => {
  let scenario: EgressProxyScenario;
  let company: ConnectProxy;
  before(async () => {
    scenario = await startEgressProxyScenario();
    const { tlsPort, httpPort } = scenario.upstream;
    company = await startConnectProxy({
      authorization: `Basic ${Buffer.from(`oc:${password}`).toString("base64")}`,
      ports: new Map([
        ["www.example.org:443", tlsPort],
        ["www.example.org:80", httpPort],
      ]),
      statuses: new Map([["forbidden.example.org:443", 403]]),
    });
    scenario.environment["OPENCOMPUTER_EGRESS_UPSTREAM_PROXY"] =
      `http://oc:${encodeURIComponent(password)}@127.0.0.1:${company.port}`;
    scenario.environment["OPENCOMPUTER_EGRESS_NO_PROXY"] = "private-direct.example.org";
    await scenario.startProxy();
    await scenario.giveAuthority();
    await scenario.giveSession({ mode: "intercepted", egressAllowlist: [], secrets: [secret] });
  });
  after(async () => {
    await scenario.stop();
    await company.close();
  });

  function refusal(result: CurlResult, status: number, code: string): string {
    assert.equal(result.status, status, `${result.body}\n${result.verbose}`);
    const body = errorBodySchema.parse(JSON.parse(result.body));
    assert.equal(body.code, code);
    return body.error;
  }

  test("https passes through it, with a value that it cannot read; http does, too", async () => {
    const header = ["-H", `x-api-key: ${secret.token}`];
    const secure = await scenario.curlHttps(["https://www.example.org/echo", ...header]);
    assert.equal(secure.status, 200, secure.verbose);
    assert.equal(scenario.upstream.last().headers["x-api-key"], secret.value);
    const plain = await scenario.curlHttp(["http://www.example.org/", ...header]);
    assert.equal(plain.status, 200, plain.verbose);
    assert.equal(scenario.upstream.last().headers["x-api-key"], secret.token);
    assert.deepEqual(
      company.asked.map(({ authority }) => authority),
      ["www.example.org:443", "www.example.org:80"],
    );
    assert.equal(scenario.upstream.last().headers["proxy-authorization"], undefined);
  });

  test("what it refuses is a readable reason, without a word of its own", async () => {
    const forbidden = await scenario.curlHttps(["https://forbidden.example.org/"]);
    assert.match(
      refusal(forbidden, 403, "upstream_proxy_refused"),
      /does not allow connections to forbidden\.example\.org \(403\)/,
    );
    const absent = await scenario.curlHttps(["https://absent.example.org/"]);
    assert.match(refusal(absent, 502, "connection_failed"), /could not connect .* \(502\)/);
    assert.doesNotMatch(forbidden.body + forbidden.verbose + scenario.output(), /ompany/);
  });

  test("it is never asked for a private address, nor for one that is excepted", async () => {
    const asked = company.asked.length;
    for (const url of ["http://10.1.2.3/", "http://private.example.org/", "http://intranet/"]) {
      refusal(await scenario.curlHttp([url]), 403, "address_refused");
    }
    const excepted = await scenario.curlHttp(["http://private-direct.example.org/"]);
    assert.match(refusal(excepted, 403, "address_refused"), /10\.1\.2\.3 \(private\)/);
    const mapped = await scenario.curlHttps(["https://api.example.com/"]);
    assert.equal(mapped.status, 200, mapped.verbose);
    assert.equal(company.asked.length, asked);
  });

  test("its credentials are in no log, audit line or response", () => {
    assert.match(scenario.output(), new RegExp(`"upstreamProxy":"127.0.0.1:${company.port}"`));
    assert.ok(!scenario.output().includes("canary-Zk3"));
  });
});
