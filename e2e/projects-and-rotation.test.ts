import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import { Project, SecretStore } from "@opencomputer/sdk";

const host = "api.anthropic.com";
const otherHost = "api.github.com";

describe("projects, layering and rotation", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await startSharedScenario({ hosts: [host, otherHost] });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const lastKey = (name: string) => scenario.internet.requestsTo(name).at(-1)?.headers["x-api-key"];

  test("a store laid over a project: its value and its hosts replace those of the project", async () => {
    const project = await Project.create({
      ...scenario.connection,
      name: "layered",
      egressAllowlist: [host],
    });
    await Project.setSecret(project.id, "KEY", "from-the-project", scenario.connection);
    const store = await scenario.createStore({
      egressAllowlist: [otherHost],
      secrets: { KEY: { value: "from-the-store", allowedHosts: [otherHost] } },
    });
    const sandbox = await scenario.createSandbox({ project: "layered", secretStore: store.name });
    const { egressAllowlist } = await sandbox.allowedHosts();
    assert.deepEqual([...egressAllowlist].sort(), [host, otherHost]);
    await sandbox.exec.run(`curl -s https://${otherHost}/ -H "x-api-key: $KEY"`);
    assert.equal(lastKey(otherHost), "from-the-store");
    await sandbox.exec.run(`curl -s https://${host}/ -H "x-api-key: $KEY"`);
    assert.match(lastKey(host) ?? "", /^osb_sealed_/);
    await sandbox.kill();
  });

  test("a new value of a secret reaches a running sandbox under the same token", async () => {
    const store = await scenario.createStore({ secrets: { KEY: "first-value" } });
    const sandbox = await scenario.createSandbox({ secretStore: store.name });
    const script = `curl -s https://${host}/ -H "x-api-key: $KEY"; printenv KEY`;
    const first = await sandbox.exec.run(script);
    assert.equal(lastKey(host), "first-value");
    await SecretStore.setSecret(store.id, "KEY", "second-value", scenario.connection);
    const second = await sandbox.exec.run(script);
    assert.equal(lastKey(host), "second-value");
    assert.equal(second.stdout, first.stdout);
    await SecretStore.delete(store.id, scenario.connection);
    await sandbox.exec.run(script);
    assert.equal(lastKey(host), "second-value", "deleting the store leaves the sandbox alone");
    await sandbox.kill();
  });
});
