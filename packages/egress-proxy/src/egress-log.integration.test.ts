import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { egressExplanationSchema } from "@opencomputer/protocol/api";
import { type EgressLogLine, egressLogBatchSchema } from "@opencomputer/protocol/wire";
import {
  addresses,
  anywhere,
  type EgressProxyScenario,
  key,
  startEgressProxyScenario,
} from "./testing/egress-proxy-scenario.ts";
import { otherSandboxId, testSandboxId } from "./testing/sessions.ts";

describe("egress proxy, egress log", () => {
  let scenario: EgressProxyScenario;
  before(async () => {
    scenario = await startEgressProxyScenario();
    await start();
  });
  after(() => scenario.stop());

  async function start(): Promise<void> {
    await scenario.startProxy();
    await scenario.giveAuthority();
    await scenario.giveSession();
  }

  let acknowledged: { instanceId: string; sequence: number } | null = null;
  async function readBatch(waitSeconds: number) {
    const response = await scenario.proxy.control("POST", "/v1/egress-log/read", {
      ...{ acknowledged, waitSeconds },
    });
    assert.equal(response.status, 200, response.body);
    return egressLogBatchSchema.parse(JSON.parse(response.body));
  }
  /** The lines until one fulfils the condition, acknowledged as they are read. */
  async function readUntil(condition: (line: EgressLogLine) => boolean): Promise<EgressLogLine[]> {
    const read: EgressLogLine[] = [];
    while (!read.some(condition)) {
      const { instanceId, lines } = await readBatch(20);
      assert.notEqual(lines.length, 0, "the line does not come");
      read.push(...lines);
      acknowledged = { instanceId, sequence: lines.at(-1)?.sequence ?? 0 };
    }
    return read;
  }
  const atPath = (path: string) => (line: EgressLogLine) => line.path === path;

  test("an allowed request: where its secrets were used, and why one was not", async () => {
    await scenario.curlHttps([
      ...["https://api.example.com/echo?hidden=1", "-H", `x-api-key: ${key.token}`],
      ...["-H", `user-agent: ${key.token}`, "--data", `${anywhere.token} ${foreignToken}`],
    ]);
    const line = (await readUntil(atPath("/echo"))).find(atPath("/echo"));
    assert.deepEqual(
      [line?.sandboxId, line?.protocol, line?.host, line?.port, line?.method, line?.decision],
      [testSandboxId, "https", "api.example.com", 443, "POST", "allowed"],
    );
    assert.equal(line?.status, 200);
    assert.deepEqual(line?.secrets.substituted, [
      { name: "API_KEY", places: ["header x-api-key"] },
      { name: "ANYWHERE", places: ["body"] },
    ]);
    assert.deepEqual(line?.secrets.withheld, [
      { name: "API_KEY", place: "header user-agent", reason: "placement" },
    ]);
    assert.deepEqual(line?.secrets.redacted.map(({ name }) => name).sort(), [
      "ANYWHERE",
      "API_KEY",
    ]);
    assert.equal(line?.secrets.foreignTokens, 1);
  });

  test("tokens are withheld at a host that may not have them, and over plain HTTP", async () => {
    const header = ["-H", `x-api-key: ${key.token}`];
    await scenario.curlHttps(["https://other.example.com/elsewhere", ...header]);
    await scenario.curlHttp(["http://api.example.com/plain", ...header]);
    const lines = await readUntil(atPath("/plain"));
    const withheldAt = (path: string) => lines.find(atPath(path))?.secrets.withheld;
    const withheld = { name: "API_KEY", place: "header x-api-key" };
    assert.deepEqual(withheldAt("/elsewhere"), [{ ...withheld, reason: "host" }]);
    assert.deepEqual(withheldAt("/plain"), [{ ...withheld, reason: "plain_http" }]);
    assert.deepEqual(
      [lines.find(atPath("/plain"))?.protocol, lines.find(atPath("/plain"))?.port],
      ["http", 80],
    );
  });

  test("a refused request has the rule, a token in its path, and no value", async () => {
    await scenario.curlHttps([`https://example.org/${key.token}`]);
    await scenario.curlHttps([`https://api.example.com/${key.value}`]);
    const refusedPath = atPath(`/${key.token}`);
    const lines = await readUntil((line) => line.secrets.leaked.length > 0);
    const refused = lines.find(({ decision, path }) => decision === "refused" && path !== null);
    assert.ok(refused !== undefined && refusedPath(refused));
    assert.match(refused.reason ?? "", /example\.org is not allowed/);
    const leaking = lines.find(({ secrets }) => secrets.leaked.length > 0);
    assert.deepEqual(leaking?.secrets.leaked, ["API_KEY"]);
    assert.equal(leaking?.path, `/${key.token}`);
    assert.ok(!JSON.stringify(lines).includes(key.value));
  });

  test("nothing was sent in what was refused, nor in what was allowed and could not be reached", async () => {
    for (const host of ["unknown-ca.example.com", "example.org", "api.example.com"]) {
      await scenario.curlHttps([`https://${host}/reached`]);
    }
    const lines = await readUntil((line) => line.host === "api.example.com");
    const ofHost = (name: string) => {
      const line = lines.find(({ host }) => host === name);
      return [line?.decision, line?.status, line?.wasSent];
    };
    assert.deepEqual(ofHost("unknown-ca.example.com"), ["allowed", 502, false]);
    assert.deepEqual(ofHost("example.org"), ["refused", 403, false]);
    assert.deepEqual(ofHost("api.example.com"), ["allowed", 200, true]);
  });

  test("explain: what the session in force would do, and nothing is sent", async () => {
    const lastSent = scenario.upstream.last();
    const explain = async (host: string, port = 443, sandboxId = testSandboxId) => {
      const request = { method: "GET", protocol: "https", host, port };
      const path = `/v1/sessions/${sandboxId}/explain`;
      return await scenario.proxy.control("POST", path, { request, session: null });
    };
    const explained = async (host: string, port = 443) =>
      egressExplanationSchema.parse(JSON.parse((await explain(host, port)).body));
    const allowed = await explained("api.example.com");
    assert.deepEqual([allowed.decision, allowed.entry], ["allowed", "*.example.com"]);
    assert.deepEqual(
      allowed.secrets.map(({ name, withheld }) => [name, withheld]),
      [
        ["API_KEY", null],
        ["ANYWHERE", null],
      ],
    );
    assert.equal((await explained("other.example.com")).secrets[0]?.withheld, "host");
    assert.equal((await explained("example.org")).rule, "not_in_allowlist");
    assert.equal((await explained("private.example.com")).rule, "address");
    assert.equal((await explained("api.example.com", 8443)).rule, "not_in_allowlist");
    assert.equal((await explain("api.example.com", 443, otherSandboxId)).status, 404);
    assert.equal(scenario.upstream.last(), lastSent);
  });

  test("a sandbox that floods does not displace what another has in the log", async () => {
    const { body } = await scenario.curlHttps(["https://api.example.com/before-the-flood"]);
    assert.notEqual(body, "");
    const neighbour = { sandboxId: otherSandboxId, sourceAddress: addresses.neighbour };
    await scenario.giveSession({ ...neighbour, secrets: [] });
    const urls = Array.from({ length: 400 }, (_, index) => `http://api.example.com/flood/${index}`);
    await scenario.curlHttp(urls, { guestAddress: addresses.neighbour });
    await scenario.curlHttps(["https://api.example.com/after-the-flood"]);
    const lines = await readUntil(atPath("/after-the-flood"));
    const own = lines.filter(({ sandboxId }) => sandboxId === testSandboxId);
    assert.ok(own.some(atPath("/before-the-flood")));
    assert.ok(own.some(atPath("/after-the-flood")));
  });

  test("what is not acknowledged is read again; a restarted proxy is another instance", async () => {
    await scenario.curlHttps(["https://api.example.com/kept"]);
    const first = await readUntil(atPath("/kept"));
    acknowledged = null;
    const again = await readBatch(0);
    assert.deepEqual(again.lines.filter(atPath("/kept")), first.filter(atPath("/kept")));

    const former = { instanceId: again.instanceId, sequence: again.lines.at(-1)?.sequence ?? 0 };
    await scenario.proxy.end("SIGKILL");
    await start();
    await scenario.curlHttps(["https://api.example.com/restarted"]);
    acknowledged = former;
    const restarted = await readUntil(atPath("/restarted"));
    assert.notEqual(acknowledged.instanceId, former.instanceId);
    assert.ok(restarted.every(({ sequence }) => sequence <= restarted.length));
  });

  test("a proxy that is stopped waits until its last lines are taken", async () => {
    await scenario.curlHttps(["https://api.example.com/last"]);
    const ended = scenario.proxy.end("SIGTERM");
    assert.ok((await readUntil(atPath("/last"))).some(atPath("/last")));
    assert.equal((await ended).code, 0);
  });
});

const foreignToken = `osb_sealed_${"f".repeat(32)}`;
