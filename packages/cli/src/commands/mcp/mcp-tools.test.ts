import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { type ContractServer, startContractServer } from "@opencomputer/sdk/testing";
import { createMcpServer } from "./create-mcp-server.ts";

describe("the tools of oc mcp", () => {
  let api: ContractServer;
  let client: Client;
  before(async () => {
    api = await startContractServer();
    const server = createMcpServer({ apiUrl: api.url, apiKey: api.apiKey }, "1.2.3");
    const [near, far] = InMemoryTransport.createLinkedPair();
    client = new Client({ name: "test", version: "1" });
    await Promise.all([server.connect(far), client.connect(near)]);
  });
  after(async () => {
    await client.close();
    await api.close();
  });

  async function call(name: string, input: Record<string, unknown>, signal?: AbortSignal) {
    const options = signal === undefined ? {} : { signal };
    const given = { name, arguments: input };
    const result = CallToolResultSchema.parse(
      await client.callTool(given, CallToolResultSchema, options),
    );
    const texts = result.content.map((part) => (part.type === "text" ? part.text : ""));
    return { isError: result.isError === true, texts };
  }
  /** The data of a call that succeeds. */
  // biome-ignore lint/suspicious/noExplicitAny: tests compare what came, whatever its shape
  async function done(name: string, input: Record<string, unknown>): Promise<Record<string, any>> {
    const { isError, texts } = await call(name, input);
    assert.equal(isError, false, texts.join("\n"));
    return JSON.parse(texts[0] ?? "");
  }
  const refused = async (name: string, input: Record<string, unknown>) => {
    const { isError, texts } = await call(name, input);
    assert.equal(isError, true, texts.join("\n"));
    return texts.join("\n");
  };
  const create = async () => String((await done("create_sandbox", {}))["sandboxId"]);

  test("are described, each with every input", async () => {
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map(({ name }) => name).toSorted(), [
      "create_checkpoint",
      "create_preview",
      "create_sandbox",
      "exec",
      "fork_checkpoint",
      "hibernate_sandbox",
      "kill_sandbox",
      "list_files",
      "list_sandboxes",
      "read_file",
      "wake_sandbox",
      "write_file",
    ]);
    const ofExec = tools.find(({ name }) => name === "exec")?.inputSchema;
    assert.deepEqual(ofExec?.required?.toSorted(), ["command", "sandboxId"]);
    for (const { name, description, annotations } of tools) {
      assert.ok(description && annotations?.title, name);
    }
    assert.match(client.getInstructions() ?? "", /osb_sealed_/);
  });

  test("create a sandbox with its options, list it without its tokens, and kill it", async () => {
    const created = await done("create_sandbox", {
      ...{ idleTimeoutSeconds: 60, memoryMB: 2048, cpuCount: 2 },
      ...{ envs: { COLOR: "green" }, metadata: { task: "test" } },
    });
    const id = String(created["sandboxId"]);
    assert.deepEqual([created["memoryMB"], created["metadata"]], [2048, { task: "test" }]);
    assert.equal(created["token"], undefined);
    const { texts } = await call("exec", { sandboxId: id, command: "echo $COLOR" });
    assert.equal(texts[1], "stdout:\ngreen\n");
    const listed = await done("list_sandboxes", { status: "running" });
    assert.deepEqual([listed["sandboxes"][0].sandboxId, listed["leftOut"]], [id, 0]);
    assert.deepEqual(await done("kill_sandbox", { sandboxId: id }), {
      sandboxId: id,
      status: "stopped",
    });
    assert.match(await refused("exec", { sandboxId: id, command: "true" }), /sandbox_not_found/);
  });

  test("run a command: both streams, exit code, arguments, directory, time-out", async () => {
    const sandboxId = await create();
    const failed = await call("exec", { sandboxId, command: "echo out; echo err >&2; exit 7" });
    assert.deepEqual(failed.texts.slice(1), ["stdout:\nout\n", "stderr:\nerr\n"]);
    assert.equal(failed.isError, false);
    assert.equal(JSON.parse(failed.texts[0] ?? "").exitCode, 7);
    const args = await call("exec", { sandboxId, command: "echo", args: ["$HOME  x"], cwd: "/" });
    assert.equal(args.texts[1], "stdout:\n$HOME  x\n");
    const late = await call("exec", { sandboxId, command: "sleep 60", timeoutSeconds: 1 });
    assert.equal(JSON.parse(late.texts[0] ?? "").exitCode, -1);
    assert.match(late.texts[1] ?? "", /Process timed out$/);
  });

  test("cut the middle of long output, and state how much", async () => {
    const sandboxId = await create();
    const command = "echo begin; head -c 100000 /dev/zero | tr '\\0' x; echo end";
    const { texts } = await call("exec", { sandboxId, command, outputBytesMax: 1000 });
    const { stdoutBytesCut, stderrBytesCut } = JSON.parse(texts[0] ?? "");
    assert.deepEqual([stdoutBytesCut, stderrBytesCut], [100_000 + 10 - 1000, 0]);
    assert.match(texts[1] ?? "", /^stdout:\nbegin\nx+\n\[99010 bytes cut\]\nx+end\n$/);
  });

  test("end the command of a call that is cancelled", async () => {
    const sandboxId = await create();
    const controller = new AbortController();
    api.watch((line) => {
      if (line.includes("/exec/run")) controller.abort(new Error("no longer needed"));
    });
    const running = call("exec", { sandboxId, command: "sleep 60" }, controller.signal);
    await assert.rejects(running, /no longer needed/);
  });

  test("write, read and list files, in parts and as base64", async () => {
    const sandboxId = await create();
    const path = "/home/sandbox/notes/é.txt";
    const content = "aé€😀".repeat(100);
    const bytes = Buffer.byteLength(content);
    assert.deepEqual(await done("write_file", { sandboxId, path, content }), { path, bytes });
    const parts: string[] = [];
    for (let offset: number | null = 0; offset !== null; ) {
      const { texts } = await call("read_file", { sandboxId, path, offset, bytesMax: 101 });
      parts.push(texts[1] ?? "");
      offset = JSON.parse(texts[0] ?? "").nextOffset;
    }
    assert.equal(parts.join(""), content);
    assert.ok(parts.length > 9);
    const directory = await done("list_files", { sandboxId, path: "/home/sandbox/notes" });
    assert.deepEqual(directory, {
      entries: [{ name: "é.txt", isDir: false, size: bytes }],
      leftOut: 0,
    });

    const binary = Buffer.from([0, 255, 128, 7]).toString("base64");
    await done("write_file", { sandboxId, path: "/b", content: binary, encoding: "base64" });
    const read = await call("read_file", { sandboxId, path: "/b", encoding: "base64" });
    assert.equal(read.texts[1], binary);
    assert.match(await refused("read_file", { sandboxId, path: "/b" }), /base64/);
    const notBase64 = { sandboxId, path: "/c", content: "a b", encoding: "base64" };
    assert.match(await refused("write_file", notBase64), /RFC 4648/);
    assert.match(await refused("read_file", { sandboxId, path: "/c" }), /file_not_found/);
  });

  test("make a preview, a checkpoint and a fork of it; hibernate and wake", async () => {
    const sandboxId = await create();
    const preview = await done("create_preview", { sandboxId, port: 3000 });
    assert.match(String(preview["url"]), /^http.*-p3000\./);
    const saved = await done("create_checkpoint", { sandboxId, name: "before" });
    const { checkpointId } = saved;
    const forked = await done("fork_checkpoint", { checkpointId, idleTimeoutSeconds: 60 });
    assert.notEqual(forked["sandboxId"], sandboxId);
    assert.equal(forked["status"], "running");
    assert.equal((await done("hibernate_sandbox", { sandboxId }))["status"], "hibernated");
    assert.equal((await done("wake_sandbox", { sandboxId }))["status"], "running");
  });

  test("return the API's error with its code, and what an input should be", async () => {
    const missing = await refused("kill_sandbox", { sandboxId: "sb-none" });
    assert.match(missing, /sb-none[\s\S]*code: sandbox_not_found/);
    assert.match(await refused("exec", { sandboxId: "sb-none" }), /command/);
    assert.match(await refused("create_sandbox", { memoryMB: 1 }), /256 at memoryMB/);
    // A mistyped option would be ignored in silence.
    assert.match(await refused("create_sandbox", { secretstore: "x" }), /secretstore/);
    assert.match(await refused("no_such_tool", {}), /no_such_tool/);
  });
});
