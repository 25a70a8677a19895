import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import { Sandbox, SecretStore } from "@opencomputer/sdk";

const host = "api.anthropic.com";

describe("a revoked secret", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await startSharedScenario({ hosts: [host] });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  test("is used by no running, hibernated or saved sandbox, and its token works again when it is set", async () => {
    const { connection } = scenario;
    const value = "sk-ant-canary-Q7v2mX9Lp4ZtW8cK";
    const store = await scenario.createStore({ secrets: { KEY: value } });
    const running = await scenario.createSandbox({ secretStore: store.name });
    const sleeping = await scenario.createSandbox({ secretStore: store.name });
    const lastKey = () => scenario.internet.requestsTo(host).at(-1)?.headers["x-api-key"];
    const send = async (sandbox: Sandbox) => {
      const script = `curl -si --max-time 60 https://${host}/ -H "x-api-key: $KEY"`;
      return (await sandbox.exec.run(script)).stdout;
    };
    const fieldOf = (head: string) => /^opencomputer-egress: (.*?)\r?$/im.exec(head)?.[1];
    const tokenPattern = /^osb_sealed_/;

    await send(running);
    assert.equal(lastKey(), value);
    const checkpoint = await running.createCheckpoint("before");
    await sleeping.hibernate();
    const revoked = await SecretStore.revokeSecret(store.id, "KEY", connection);
    assert.deepEqual(revoked, { name: "KEY", status: "revoked" });

    const fork = await Sandbox.createFromCheckpoint(checkpoint.id, connection);
    for (const sandbox of [running, sleeping, fork]) {
      assert.equal(fieldOf(await send(sandbox)), "withheld=KEY (header x-api-key); revoked=KEY");
      assert.match(lastKey() ?? "", tokenPattern);
    }

    await SecretStore.setSecret(store.id, "KEY", "sk-ant-new-Zx8Kq3Vn6Tb1Wm4R", connection);
    for (const sandbox of [running, sleeping, fork]) {
      assert.equal(fieldOf(await send(sandbox)), undefined);
      assert.equal(lastKey(), "sk-ant-new-Zx8Kq3Vn6Tb1Wm4R");
      await sandbox.kill();
    }
  });
});
