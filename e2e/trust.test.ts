import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import type { Sandbox } from "@opencomputer/sdk";

const host = "api.example.test";
const packages = fileURLToPath(new URL("../.cache/guest-clients/python", import.meta.url));
/** What requests needs. */
const ofRequests = ["requests", "urllib3", "idna", "certifi", "charset_normalizer"];

const node = `/usr/local/bin/node -e 'fetch(process.argv[1]).then(() => process.exit())' https://${host}/node`;
const requests = `/usr/bin/env PYTHONPATH=/workspace/python /usr/bin/python3 -B -c 'import requests, sys; requests.get(sys.argv[1])' https://${host}/requests`;

describe("programs without variables trust the egress proxy", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;

  before(async () => {
    scenario = await startSharedScenario({ hosts: [host] });
    const store = await scenario.createStore({ egressAllowlist: [host] });
    sandbox = await scenario.createSandbox({ secretStore: store.name });
    const { stdout } = await promisify(execFile)("tar", ["-C", packages, "-c", ...ofRequests], {
      encoding: "buffer",
      maxBuffer: 64 * 1024 * 1024,
    });
    await sandbox.files.write("/workspace/python.tar", stdout);
    const unpack = "mkdir python && tar -C python -xf python.tar";
    const { exitCode, stderr } = await sandbox.exec.run(unpack, { cwd: "/workspace" });
    assert.equal(exitCode, 0, stderr);
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  for (const [name, command, path] of [
    ["Node.js under env -i", `env -i ${node}`, "/node"],
    ["Node.js under sudo with an empty environment (full run)", `sudo env -i ${node}`, "/node"],
    ["requests under env -i", `env -i ${requests}`, "/requests"],
    ["curl in a login shell of root", `sudo su - -c 'curl -sS https://${host}/curl'`, "/curl"],
  ] as const) {
    test(name, async () => {
      const earlier = scenario.internet.requestsTo(host).length;
      const { stderr } = await sandbox.exec.run(command, { timeout: 120 });
      const received = scenario.internet.requestsTo(host).slice(earlier);
      assert.deepEqual(
        received.map(({ url }) => url),
        [path],
        stderr,
      );
    });
  }

  test("Node.js whose own variable names no authority does not", async () => {
    const earlier = scenario.internet.requestsTo(host).length;
    const { stderr } = await sandbox.exec.run(`env -i NODE_EXTRA_CA_CERTS= ${node}`);
    assert.match(stderr, /certificate/);
    assert.equal(scenario.internet.requestsTo(host).length, earlier);
  });
});
