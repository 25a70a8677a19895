import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Scenario, startScenario } from "@opencomputer/harness";

const here = fileURLToPath(new URL(".", import.meta.url));

/** The quick start of the product page on secrets, as it is printed there. */
const quickStart = `
import { Sandbox, SecretStore } from '@opencomputer/sdk';
// 1. Create a secret store with egress restrictions
const store = await SecretStore.create({
name: 'my-agent-secrets',
egressAllowlist: ['api.anthropic.com'],
});
// 2. Add an encrypted secret
await SecretStore.setSecret(store.id, 'ANTHROPIC_API_KEY', 'sk-ant-...');
// 3. Create a sandbox — secrets are injected as sealed tokens
const sandbox = await Sandbox.create({
secretStore: 'my-agent-secrets',
timeout: 600,
});
// Inside the VM, the env var is sealed — not the real key
const result = await sandbox.exec.run('echo $ANTHROPIC_API_KEY');
console.log(result.stdout); // "osb_sealed_7f3a9c..."
// But HTTPS requests to allowed hosts get the real value via the proxy
const apiResult = await sandbox.exec.run(\`
curl -s https://api.anthropic.com/v1/messages \\\\
-H "x-api-key: $ANTHROPIC_API_KEY" \\\\
-H "anthropic-version: 2023-06-01" \\\\
-H "content-type: application/json" \\\\
-d '{"model":"claude-haiku-4-5-20251001","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}'
\`);
console.log(apiResult.stdout); // 200 OK — real key was substituted by the proxy
`;

describe("the examples of the product pages run as printed", () => {
  let scenario: Scenario;
  let directory: string;
  before(async () => {
    scenario = await startScenario({ hosts: ["api.anthropic.com"] });
    directory = await mkdtemp(join(here, "example-"));
  });
  after(async () => {
    await rm(directory, { recursive: true });
    assert.deepEqual(await scenario.end(), []);
  });

  test("the TypeScript quick start", async () => {
    const file = join(directory, "quick-start.mjs");
    await writeFile(file, quickStart);
    const { stdout } = await promisify(execFile)(process.execPath, [file], {
      env: {
        PATH: process.env["PATH"],
        OPENCOMPUTER_API_URL: scenario.connection.apiUrl,
        OPENCOMPUTER_API_KEY: scenario.connection.apiKey,
      },
    });
    assert.match(stdout, /^osb_sealed_[0-9a-f]{32}\n/);
    assert.match(stdout, /\{"ok":true\}/);
    const [request] = scenario.internet.requestsTo("api.anthropic.com");
    assert.equal(request?.headers["x-api-key"], "sk-ant-...");
    assert.equal(request?.headers["anthropic-version"], "2023-06-01");
  });
});
