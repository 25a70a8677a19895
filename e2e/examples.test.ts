import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import { Project, Sandbox, SecretStore } from "@opencomputer/sdk";
import { z } from "zod";
import { testPythons } from "../setup/python.mjs";

const host = "api.anthropic.com";
const key = "sk-ant-of-the-examples-8fKq3ZtX5mWc";
const tokenLine = /^in the sandbox: osb_sealed_[0-9a-f]{32}$/m;
const directory = fileURLToPath(new URL("../examples/", import.meta.url));

const conversationSchema = z.object({
  messages: z.array(z.object({ role: z.string(), content: z.unknown() })),
});

/** A model that asks for one command and then repeats its output. */
function replyAsModel(body: Buffer, response: ServerResponse): void {
  const { messages } = conversationSchema.parse(JSON.parse(body.toString()));
  const content =
    messages.length === 1
      ? {
          type: "tool_use",
          id: "tool-1",
          name: "run_command",
          input: { command: "echo found $((6 * 7)) with $ANTHROPIC_API_KEY" },
        }
      : { type: "text", text: `The output was ${JSON.stringify(messages.at(-1)?.content)}` };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ role: "assistant", content: [content] }));
}

describe("the examples run as they are", () => {
  let scenario: Scenario;
  const wereRun = new Set<string>(["agent.py"]);
  before(async () => {
    scenario = await startSharedScenario({
      hosts: [host],
      handler(request, response, body) {
        if (request.url === "/v1/messages") return replyAsModel(body, response);
        response.end('{"ok":true}\n');
      },
    });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  afterEach(async () => {
    const { connection } = scenario;
    assert.deepEqual(await Sandbox.list(connection), []);
    assert.deepEqual(await Project.list(connection), []);
    assert.deepEqual(await SecretStore.list(connection), []);
  });

  /** Runs a program of the folder and returns what it printed; rejects when it fails. */
  async function run(name: string, program = process.execPath): Promise<string> {
    const { apiUrl, apiKey } = scenario.connection;
    wereRun.add(name);
    const { stdout } = await promisify(execFile)(program, [name], {
      cwd: directory,
      env: {
        PATH: process.env["PATH"],
        OPENCOMPUTER_API_URL: apiUrl,
        OPENCOMPUTER_API_KEY: apiKey,
        ANTHROPIC_API_KEY: key,
      },
    });
    return stdout;
  }
  const sentKeys = () =>
    scenario.internet.requestsTo(host).map(({ headers }) => headers["x-api-key"]);

  test("run-a-command", async () => {
    const lines = (await run("run-a-command.ts")).trim().split("\n");
    assert.equal(lines[0], "sum: 5050");
    assert.match(lines[1] ?? "", /^exit code: 2 .*No such file or directory$/);
  });

  test("stream-output", async () => {
    const expected = "step 1\nstep 2\nstep 3\nhello, reader\nexit code: 7\n";
    assert.equal(await run("stream-output.ts"), expected);
  });

  test("use-a-secret", async () => {
    const printed = await run("use-a-secret.ts");
    assert.match(printed, tokenLine);
    assert.match(printed, /^response: \{"ok":true\}$/m);
    assert.match(printed, /^another host: 403$/m);
    assert.equal(sentKeys().at(-1), key);
  });

  test("project-defaults (full run)", async () => {
    const printed = await run("project-defaults.ts");
    assert.match(printed, /^sandbox: base 2048 MB, project example-project-defaults$/m);
    assert.match(printed, /^response: \{"ok":true\}$/m);
    assert.equal(sentKeys().at(-1), key);
  });

  test("fork-a-checkpoint", async () => {
    const expected = ["one", "two"].map(
      (name) => `${name} {"prepared":true}\nthe loop is running\n`,
    );
    assert.equal(await run("fork-a-checkpoint.ts"), expected.join(""));
  });

  test("preview-a-server", async () => {
    const printed = await run("preview-a-server.ts");
    assert.match(printed, /^preview: http:\/\/sb-\w+-p3000\.sandbox\.localhost:\d+$/m);
    assert.match(printed, /^without the token: 401$/m);
    assert.match(printed, /^with it: 200 <h1>Hello from a sandbox<\/h1>$/m);
  });

  test("agent-loop", async () => {
    const requestsBefore = sentKeys().length;
    const printed = await run("agent-loop.ts");
    assert.match(printed, /^\$ echo found/m);
    assert.match(printed, /^found 42 with osb_sealed_[0-9a-f]{32}$/m);
    assert.match(printed, /^The output was .*exit code 0/m);
    assert.deepEqual(sentKeys().slice(requestsBefore), [key, key]);
    // The command's output holds the token, which stays one outside of the header field.
    assert.ok(!scenario.internet.requestsTo(host).some(({ body }) => body.includes(key)));
  });

  test("secrets_per_fork (full run)", async () => {
    const [python] = await testPythons();
    assert.ok(python !== undefined);
    const requestsBefore = sentKeys().length;
    const printed = await run("secrets_per_fork.py", python.program);
    assert.equal(printed, 'first yes {"ok":true}\nsecond yes {"ok":true}\n');
    assert.deepEqual(sentKeys().slice(requestsBefore), [
      "sk-first-6hWq2ZtX9mKc4RvN",
      "sk-second-6hWq2ZtX9mKc4RvN",
    ]);
  });

  test("all of them are tested (full run)", async () => {
    const programs = (await readdir(directory)).filter((name) => /\.(ts|py)$/.test(name));
    assert.deepEqual(programs.toSorted(), [...wereRun].toSorted());
  });
});
