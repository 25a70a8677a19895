import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";

const program = fileURLToPath(new URL("../packages/cli/bin/oc.js", import.meta.url));
const host = "api.anthropic.com";

describe("oc does the main job", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await startSharedScenario({ hosts: [host] });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const environment = () => ({
    PATH: process.env["PATH"] ?? "",
    HOME: "/nonexistent",
    OPENCOMPUTER_API_URL: scenario.connection.apiUrl,
    OPENCOMPUTER_API_KEY: scenario.connection.apiKey,
  });
  const oc = (args: string[], input?: string) =>
    new Promise<{ exitCode: number; stdout: string; stderr: string }>((resolve) => {
      const child = execFile(
        process.execPath,
        [program, ...args],
        { env: environment() },
        (_error, stdout, stderr) => resolve({ exitCode: child.exitCode ?? -1, stdout, stderr }),
      );
      // It may end before it has read its input, as for arguments that it refuses.
      child.stdin?.on("error", () => child.stdin?.destroy());
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

  test("an error names what is wrong and has the exit code of its class", async () => {
    const missing = await oc(["sandbox", "get", "sb-aaaaaaaaaaaaaaaaaaaa", "--json"]);
    assert.equal(missing.exitCode, 3);
    const error: unknown = JSON.parse(missing.stderr);
    assert.ok(typeof error === "object" && error !== null && "error" in error && "code" in error);
    const conflict = await oc(["secret-store", "create", "--name", "cli"]);
    assert.equal(conflict.exitCode, 4);
  });

  test("an agent works in a machine by MCP, with a secret that it does not see", async () => {
    const { name } = await scenario.createStore({
      egressAllowlist: [host],
      secrets: { ANTHROPIC_API_KEY: "sk-ant-mcp-canary-7fQ2" },
    });
    const client = new Client({ name: "e2e", version: "1" });
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [program, "mcp"],
      env: environment(),
    });
    await client.connect(transport);
    const call = async (tool: string, input: Record<string, unknown>) => {
      const options = { timeout: 300_000 };
      const given = { name: tool, arguments: input };
      const result = CallToolResultSchema.parse(
        await client.callTool(given, CallToolResultSchema, options),
      );
      const texts = result.content.map((part) => (part.type === "text" ? part.text : ""));
      assert.notEqual(result.isError, true, texts.join("\n"));
      assert.ok(!texts.join().includes("canary"), tool);
      return texts;
    };
    const json = async (tool: string, input: Record<string, unknown>) =>
      JSON.parse((await call(tool, input))[0] ?? "");
    try {
      const { sandboxId } = await json("create_sandbox", { secretStore: name });
      const path = "/home/sandbox/ask.sh";
      const content = `curl -s https://${host}/v1/models -H "x-api-key: $ANTHROPIC_API_KEY"\necho $ANTHROPIC_API_KEY\n`;
      await call("write_file", { sandboxId, path, content });
      const [, output = ""] = await call("exec", { sandboxId, command: "bash ask.sh" });
      assert.match(output, /osb_sealed_[0-9a-f]{32}\n$/);
      assert.equal(
        scenario.internet.requestsTo(host).at(-1)?.headers["x-api-key"],
        "sk-ant-mcp-canary-7fQ2",
      );
      const { entries } = await json("list_files", { sandboxId });
      assert.ok(entries.some((entry: { name: string }) => entry.name === "ask.sh"));

      const saved = await json("create_checkpoint", { sandboxId, name: "asked" });
      const fork = await json("fork_checkpoint", { checkpointId: saved.checkpointId });
      const read = await call("read_file", { sandboxId: fork.sandboxId, path });
      assert.equal(read[1], content);
      for (const id of [sandboxId, fork.sandboxId]) await call("kill_sandbox", { sandboxId: id });
    } finally {
      await client.close();
    }
  });
});
