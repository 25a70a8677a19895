import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Scenario, startScenario } from "@opencomputer/harness";

const program = fileURLToPath(new URL("../packages/cli/bin/oc.js", import.meta.url));
const host = "api.anthropic.com";

describe("oc does the main job", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await startScenario({ hosts: [host] });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const oc = (args: string[], input?: string) =>
    new Promise<{ exitCode: number; stdout: string; stderr: string }>((resolve) => {
      const child = execFile(
        process.execPath,
        [program, ...args],
        {
          env: {
            PATH: process.env["PATH"],
            HOME: "/nonexistent",
            OPENCOMPUTER_API_URL: scenario.connection.apiUrl,
            OPENCOMPUTER_API_KEY: scenario.connection.apiKey,
          },
        },
        (_error, stdout, stderr) => resolve({ exitCode: child.exitCode ?? -1, stdout, stderr }),
      );
      child.stdin?.end(input ?? "");
    });
  const done = async (args: string[], input?: string) => {
    const result = await oc(args, input);
    assert.equal(result.exitCode, 0, result.stderr);
    return result.stdout;
  };

  test("store, secret, sandbox, command, kill", async () => {
    const store: unknown = JSON.parse(
      await done(["secret-store", "create", "--name", "cli", "--egress-allowlist", host, "--json"]),
    );
    assert.ok(typeof store === "object" && store !== null && "id" in store);
    await done(
      [
        "secret",
        "set",
        String(store.id),
        "ANTHROPIC_API_KEY",
        "--from-stdin",
        "--allowed-hosts",
        host,
      ],
      "sk-ant-cli-canary\n",
    );
    const created: unknown = JSON.parse(await done(["create", "--secret-store", "cli", "--json"]));
    assert.ok(typeof created === "object" && created !== null && "sandboxID" in created);
    const id = String(created.sandboxID);

    assert.match(
      await done(["ls"]),
      new RegExp(`^ID +TEMPLATE +STATUS +CPU +MEM +AGE\n${id} `, "m"),
    );
    assert.match(
      await done(["exec", id, "--", "echo", "$ANTHROPIC_API_KEY"]),
      /^osb_sealed_[0-9a-f]{32}\n$/,
    );
    await done([
      "exec",
      id,
      "--",
      "curl",
      "-s",
      `https://${host}/v1/messages`,
      "-H",
      "x-api-key: $ANTHROPIC_API_KEY",
    ]);
    assert.equal(
      scenario.internet.requestsTo(host).at(-1)?.headers["x-api-key"],
      "sk-ant-cli-canary",
    );
    assert.match(
      await done(["sandbox", "allowed-hosts", id]),
      /Egress allowlist:\n {2}• api\.anthropic\.com/,
    );

    const failed = await oc(["exec", id, "--", "echo out; echo err >&2; exit 9"]);
    assert.deepEqual(failed, { exitCode: 9, stdout: "out\n", stderr: "err\n" });
    await done(["kill", id]);
    const killed = await oc(["exec", id, "--", "true"]);
    assert.equal(killed.exitCode, 3);
    assert.match(killed.stderr, /^error: Sandbox \S+ was killed or has ended/);
  });

  test("an error names what is wrong and ends with its class of exit code", async () => {
    const missing = await oc(["sandbox", "get", "sb-aaaaaaaaaaaaaaaaaaaa", "--json"]);
    assert.equal(missing.exitCode, 3);
    const error: unknown = JSON.parse(missing.stderr);
    assert.ok(typeof error === "object" && error !== null && "error" in error && "code" in error);
    const conflict = await oc(["secret-store", "create", "--name", "cli"]);
    assert.equal(conflict.exitCode, 4);
  });
});
