import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type ContractServer, startContractServer } from "@opencomputer/sdk/testing";

const program = fileURLToPath(new URL("main.ts", import.meta.url));

describe("the oc process", () => {
  let server: ContractServer;
  before(async () => {
    server = await startContractServer();
  });
  after(() => server.close());

  /** Runs the real process; `shell` may follow it with `| …`. */
  async function oc(words: string, options: { input?: string; shell?: string } = {}) {
    const command = `"$NODE" --conditions=source "$PROGRAM" ${words} ${options.shell ?? ""}`;
    const child = spawn("/bin/bash", ["-c", `set -o pipefail; ${command}`], {
      cwd: fileURLToPath(new URL("..", import.meta.url)),
      env: {
        ...{ PATH: process.env["PATH"], HOME: "/nonexistent" },
        ...{ NODE: process.execPath, PROGRAM: program },
        OPENCOMPUTER_API_URL: server.url,
        OPENCOMPUTER_API_KEY: server.apiKey,
      },
    });
    // It may end before it has read its input, as for arguments that it refuses.
    child.stdin.on("error", () => child.stdin.destroy());
    child.stdin.end(options.input ?? "");
    const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
    const [stdout, stderr, exitCode] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      exited,
    ]);
    return { exitCode, stdout, stderr };
  }

  test("does the main job: store, secret, sandbox, command, kill", async () => {
    const store = await oc("secret-store create --name main");
    assert.equal(store.exitCode, 0, store.stderr);
    const id = store.stdout.trim();
    const flags = "--allowed-hosts api.anthropic.com --in header:x-api-key,header:authorization";
    const value = "sk-jQ7vX2mT9wLr4KzB8nYd3HpC";
    const set = await oc(`secret set ${id} ANTHROPIC_API_KEY --from-stdin ${flags}`, {
      input: `${value}\n`,
    });
    assert.deepEqual(set, { exitCode: 0, stdout: "Set ANTHROPIC_API_KEY\n", stderr: "" });
    assert.equal(server.secrets.stores.get(id)?.secrets.get("ANTHROPIC_API_KEY")?.value, value);
    const sandbox = (await oc("create --secret-store main")).stdout.trim();
    const echo = await oc(`exec ${sandbox} -- echo '$ANTHROPIC_API_KEY'`);
    assert.match(echo.stdout, /^osb_sealed_[0-9a-f]{32}\n$/);
    const failed = await oc(`exec ${sandbox} -- 'echo out; echo err >&2; exit 7'`);
    assert.deepEqual(failed, { exitCode: 7, stdout: "out\n", stderr: "err\n" });
    assert.equal((await oc(`kill ${sandbox}`)).exitCode, 0);
    assert.match((await oc(`get ${sandbox}`)).stdout, /^Status: +stopped$/m);
    assert.equal((await oc(`exec ${sandbox} -- true`)).exitCode, 3);
  });

  test("writes large output whole into a pipe, and takes a closed pipe calmly", async () => {
    const sandbox = (await oc("create")).stdout.trim();
    const words = `exec ${sandbox} -- 'head -c 5000000 /dev/zero | tr "\\0" x'`;
    assert.equal((await oc(words, { shell: "| wc -c" })).stdout.trim(), "5000000");
    const head = await oc(words, { shell: "| head -c 10" });
    assert.deepEqual([head.stdout, head.stderr], ["xxxxxxxxxx", ""]);
  });
});
