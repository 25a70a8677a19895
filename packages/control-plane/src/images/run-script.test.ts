import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type CommandResult, limits, type RunCommandRequest } from "@opencomputer/protocol/api";
import { createBuildLog } from "./build-log.ts";
import { createBuildLogLines } from "./build-log-lines.ts";
import { runScript } from "./run-script.ts";

/** Runs commands on this machine, as the user of the test. */
function runLocally(_sandboxId: string, { cmd, args }: RunCommandRequest) {
  const words = cmd === "sudo" ? (args ?? []).slice(3) : [cmd, ...(args ?? [])];
  const [program = "", ...rest] = words;
  return new Promise<CommandResult>((resolve) => {
    const options = { cwd: "/", maxBuffer: 1e9 };
    execFile(program, rest, options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ exitCode, stdout, stderr });
    });
  });
}

describe("runScript()", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "run-script-"));
  });
  after(() => rm(directory, { recursive: true }));

  const start = (
    script: string,
    {
      run = runLocally,
      signal = new AbortController().signal,
      onReported = () => undefined,
    }: {
      run?: typeof runLocally;
      signal?: AbortSignal;
      onReported?: () => void;
    } = {},
  ) => {
    const reported: string[] = [];
    const result = runScript(
      { run },
      {
        ...{ sandboxId: "sb-x", script, workingDirectory: directory, variables: { A: "a b" } },
        ...{ outputPath: join(directory, "staged/output"), signal },
        onOutput(text) {
          reported.push(text);
          onReported();
        },
      },
    );
    return { reported, result };
  };

  test("reports both streams as one, and the exit code", async () => {
    const { reported, result } = start('echo "$A"; echo "ü" >&2; pwd; exit 3');
    assert.deepEqual(await result, { exitCode: 3, output: `a b\nü\n${directory}\n` });
    assert.equal(reported.join(""), `a b\nü\n${directory}\n`);
  });

  test("reports output while the script runs, and none of it twice", async () => {
    const script = "echo first; until [ -e go ]; do sleep 0.1; done; printf 'last, unended'";
    const onReported = () => writeFileSync(join(directory, "go"), "");
    const { reported, result } = start(script, { onReported });
    assert.deepEqual(await result, { exitCode: 0, output: "first\nlast, unended" });
    assert.deepEqual(reported, ["first\n", "last, unended"]);
  });

  test("waits for nothing that the script leaves in the background", async () => {
    const { result } = start("sleep 600 & echo $!");
    const { output } = await result;
    process.kill(Number(output));
  });

  test("keeps the beginning and the end of an output that is too long", async () => {
    const { result } = start(
      `head -c ${limits.imageLogBytesMax + 100} /dev/zero | tr '\\0' x; echo end`,
    );
    const { output } = await result;
    assert.ok(output.length < limits.imageLogBytesMax + 5_000);
    assert.match(output, /^xxx[\s\S]*x\n…\nx+end\n$/);
  });

  test("finds the output of a script that was killed", async () => {
    const run: typeof runLocally = async (sandboxId, command) => {
      const result = await runLocally(sandboxId, command);
      return command.cmd === "sudo" ? { exitCode: -1, stdout: "", stderr: "timed out" } : result;
    };
    const { reported, result } = start("echo said", { run });
    assert.deepEqual(await result, { exitCode: -1, output: "said\n" });
    assert.deepEqual(reported, ["said\n"]);
  });

  for (const [what, bytesRead] of [
    ["more than it is asked for", 1024 * 1024],
    ["a byte at a time", 1],
  ] as const) {
    test(`a builder that never stops to return ${what} ends the script with a bounded output`, async () => {
      let reads = 0;
      const run: typeof runLocally = async (_sandboxId, { cmd }) => {
        if (cmd === "sudo") return { exitCode: -1, stdout: "", stderr: "" };
        reads += 1;
        const stdout = Buffer.alloc(bytesRead, "x").toString("base64");
        return { exitCode: 0, stdout, stderr: "" };
      };
      const { reported, result } = start("echo said", { run });
      const { output } = await result;
      assert.equal(reported.join(""), output);
      assert.ok(output.length <= limits.imageLogBytesMax, String(output.length));
      assert.ok(reads < 100, String(reads));
    });
  }

  test("a builder whose script returns more than its wrapper prints has the rest dropped", async () => {
    const run: typeof runLocally = async () => ({
      exitCode: 0,
      stdout: "x".repeat(2 * limits.imageLogBytesMax),
      stderr: "",
    });
    const { output } = await start("echo said", { run }).result;
    assert.ok(output.length < limits.imageLogBytesMax + 5_000, String(output.length));
  });

  test("rejects when it is aborted, and reads no more", async () => {
    const controller = new AbortController();
    const run = () =>
      new Promise<CommandResult>((_resolve, reject) => {
        controller.signal.addEventListener("abort", () => reject(controller.signal.reason));
      });
    const { result } = start("sleep 600", { run, signal: controller.signal });
    controller.abort(new Error("aborted"));
    await assert.rejects(result, /aborted/);
  });
});

test("createBuildLogLines() reports whole lines, however the output was cut", () => {
  const log = createBuildLog();
  const messages: string[] = [];
  log.follow(({ message }) => void messages.push(message));
  const lines = createBuildLogLines(log, 1);
  for (const text of ["on", "e\ntw", "o\n\nth", "ree"]) lines.add(text);
  assert.deepEqual(messages, ["one", "two", ""]);
  lines.end();
  lines.end();
  assert.deepEqual(messages, ["one", "two", "", "three"]);
});
