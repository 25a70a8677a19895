import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Scenario, startScenario } from "@opencomputer/harness";
import { Project, SecretStore } from "@opencomputer/sdk";

const host = "api.anthropic.com";
const otherHost = "api.github.com";
const program = fileURLToPath(new URL("../packages/cli/bin/oc.js", import.meta.url));

/** The example workflow of the product page on projects; ids are filled in where it says so. */
const workflow = `
# Create a project
oc project create --name my-agent --cpu 2 --memory 1024 --timeout 600
project_id=$(oc project list --json | node -pe 'JSON.parse(require("fs").readFileSync(0))[0].id')

# Add secrets
oc secret set $project_id ANTHROPIC_API_KEY sk-ant-...
oc secret set $project_id DATABASE_URL postgres://user:pass@host/db

# Verify secrets are stored
oc secret list $project_id

# Create a sandbox — inherits config + secrets
oc create --project my-agent
sandbox_id=$(oc ls --json | node -pe 'JSON.parse(require("fs").readFileSync(0))[0].sandboxID')

# Secrets are sealed inside the sandbox
oc exec $sandbox_id -- env | grep -E 'API_KEY|DATABASE'

# But HTTPS requests get real values via the proxy
oc exec $sandbox_id -- curl -s https://api.anthropic.com/v1/messages \\
  -H "x-api-key: \\$ANTHROPIC_API_KEY" \\
  -H "anthropic-version: 2023-06-01" \\
  -H "content-type: application/json" \\
  -d '{"model":"claude-haiku-4-5-20251001","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}'

# Clean up
oc sandbox delete $sandbox_id
oc project delete $project_id
`;

describe("projects, layering and rotation", () => {
  let scenario: Scenario;
  let directory: string;
  before(async () => {
    scenario = await startScenario({ hosts: [host, otherHost] });
    directory = await mkdtemp(join(tmpdir(), "opencomputer-oc-"));
    await symlink(program, join(directory, "oc"));
  });
  after(async () => {
    await rm(directory, { recursive: true });
    assert.deepEqual(await scenario.end(), []);
  });

  const lastKey = (name: string) => scenario.internet.requestsTo(name).at(-1)?.headers["x-api-key"];

  test("the workflow of the projects page runs as printed", async () => {
    const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", workflow], {
      env: {
        PATH: `${directory}:${process.env["PATH"]}`,
        HOME: directory,
        OPENCOMPUTER_API_URL: scenario.connection.apiUrl,
        OPENCOMPUTER_API_KEY: scenario.connection.apiKey,
      },
    });
    assert.match(stdout, /^ANTHROPIC_API_KEY\nDATABASE_URL$/m);
    assert.match(stdout, /^ANTHROPIC_API_KEY=osb_sealed_[0-9a-f]{32}$/m);
    assert.match(stdout, /^DATABASE_URL=osb_sealed_[0-9a-f]{32}$/m);
    assert.equal(lastKey(host), "sk-ant-...");
    assert.deepEqual(await Project.list(scenario.connection), []);
  });

  test("a store laid over a project: its value and its hosts win, wholly", async () => {
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

  test("a secret set again reaches a running sandbox under the same token", async () => {
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
