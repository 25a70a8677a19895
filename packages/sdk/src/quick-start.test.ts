import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Sandbox, SecretStore } from "./index.ts";
import { type ContractServer, startContractServer } from "./testing/start-contract-server.ts";

describe("the quick start", () => {
  const names = ["OPENCOMPUTER_API_URL", "OPENCOMPUTER_API_KEY"] as const;
  const valuesBefore = names.map((name) => process.env[name]);
  let server: ContractServer;
  before(async () => {
    server = await startContractServer();
    process.env["OPENCOMPUTER_API_URL"] = server.url;
    process.env["OPENCOMPUTER_API_KEY"] = server.apiKey;
  });
  after(async () => {
    for (const [index, name] of names.entries()) {
      const value = valuesBefore[index];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await server.close();
  });

  test("needs no options but the environment's", async () => {
    const store = await SecretStore.create({
      name: "my-agent-secrets",
      egressAllowlist: ["api.anthropic.com"],
    });
    await SecretStore.setSecret(store.id, "ANTHROPIC_API_KEY", "sk-ant-...");
    const sandbox = await Sandbox.create({ secretStore: "my-agent-secrets", timeout: 600 });
    const result = await sandbox.exec.run("echo $ANTHROPIC_API_KEY");
    assert.match(result.stdout, /^osb_sealed_[0-9a-f]{32}\n$/);

    await SecretStore.setSecret(store.id, "ANTHROPIC_API_KEY", "sk-ant-...", {
      allowedHosts: ["api.anthropic.com"],
    });
    assert.deepEqual(
      (await SecretStore.list()).map(({ name }) => name),
      ["my-agent-secrets"],
    );
    assert.deepEqual(
      (await SecretStore.listSecrets(store.id)).map(({ name }) => name),
      ["ANTHROPIC_API_KEY"],
    );
    await SecretStore.deleteSecret(store.id, "ANTHROPIC_API_KEY");
    await SecretStore.delete(store.id);
    await sandbox.kill();
  });
});
