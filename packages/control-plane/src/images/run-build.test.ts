import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import type { CommandResult, ImageManifest, RunCommandRequest } from "@opencomputer/protocol/api";
import { WireError } from "@opencomputer/protocol/api";
import { createBuildLog } from "./build-log.ts";
import { type BuildStep, runBuild } from "./run-build.ts";

/** The words of a command end with the directory, the script, and where its output is kept. */
const scriptOf = ({ args }: RunCommandRequest) => args?.at(-2) ?? "";

/** A builder that records its requests, and returns the results of the test. */
function createBuilder(resultOf: (script: string) => Partial<CommandResult> = () => ({})) {
  const commands: RunCommandRequest[] = [];
  const files = new Map<string, string>();
  return {
    commands,
    files,
    scripts: () => commands.map(scriptOf),
    run: async (_sandboxId: string, command: RunCommandRequest) => {
      commands.push(command);
      return { exitCode: 0, stdout: "", stderr: "", ...resultOf(scriptOf(command)) };
    },
    writeFile: async (
      _sandboxId: string,
      path: string,
      { body }: { body: NodeJS.ReadableStream; length: string | undefined },
    ) => {
      files.set(path, (await buffer(body)).toString());
    },
  };
}

const noSources = { aptMirror: undefined, pipIndexUrl: undefined, proxy: undefined };
const manifest = (...steps: ImageManifest["steps"]): ImageManifest => ({ base: "base", steps });
const run = (...commands: string[]) => ({ type: "run", args: { commands } }) as const;

function start(
  builder: ReturnType<typeof createBuilder>,
  image: ImageManifest,
  {
    sources = noSources,
    signal = new AbortController().signal,
  }: {
    sources?: typeof noSources | { aptMirror: string; pipIndexUrl: string; proxy: string };
    signal?: AbortSignal;
  } = {},
) {
  const log = createBuildLog();
  const lines: string[] = [];
  log.follow(({ message }) => lines.push(message));
  const stepEvents: string[] = [];
  const note = (what: string) => async (step: BuildStep, exitCode?: number | null) => {
    const { step: number, stepCount, stepType } = step;
    const code = exitCode === undefined ? "" : ` ${exitCode}`;
    stepEvents.push(`${what} ${number}/${stepCount} ${stepType}${code}`);
  };
  const steps = { started: note("started"), finished: note("finished"), failed: note("failed") };
  const options = { sandboxId: "sb-x", manifest: image, log, steps, signal };
  return { lines, stepEvents, result: runBuild({ builder, sources }, options) };
}

describe("runBuild()", () => {
  test("runs steps as root, in the directory and with the variables of those before", async () => {
    const builder = createBuilder((script) => ({ stdout: script === "make" ? "made\n" : "" }));
    const { lines, result } = start(
      builder,
      manifest(
        run("before"),
        { type: "env", args: { vars: { PATH: "/opt/bin:/bin", A: "x y" } } },
        { type: "workdir", args: { path: "/app" } },
        run("make"),
      ),
    );
    assert.deepEqual(await result, {
      envs: { PATH: "/opt/bin:/bin", A: "x y" },
      workingDirectory: "/app",
    });
    const [before, , make] = builder.commands;
    assert.ok(before !== undefined && make !== undefined);
    assert.deepEqual([make.cmd, make.cwd], ["sudo", "/"]);
    assert.deepEqual(before.args?.slice(-4, -1), ["build", "/home/sandbox", "before"]);
    assert.deepEqual(make.args?.slice(-4, -1), ["build", "/app", "make"]);
    assert.ok(make.args?.includes("A=x y") && make.args.includes("PATH=/opt/bin:/bin"));
    assert.ok(!before.args?.some((word) => word.startsWith("A=")));
    assert.deepEqual(lines.slice(-3), ["Step 4/4: run make", "made", "Step 4/4 completed"]);
    assert.match(builder.scripts().at(-1) ?? "", /apt-get clean/);
    const outputs = builder.commands.map(({ args }) => args?.at(-1));
    assert.equal(new Set(outputs).size, outputs.length, "each writes its output to another file");
  });

  test("gives steps the operator's index and proxy; the image's own variables win", async () => {
    const builder = createBuilder();
    const sources = {
      aptMirror: "http://mirror.test/debian",
      pipIndexUrl: "http://pip.test:8080/simple",
      proxy: "http://proxy.test:3128",
    };
    const env = { type: "env", args: { vars: { https_proxy: "" } } } as const;
    const { result } = start(builder, manifest(run("one"), env, run("two")), { sources });
    assert.deepEqual((await result).envs, { https_proxy: "" });
    const [one, two] = builder.commands;
    for (const word of [
      "PIP_INDEX_URL=http://pip.test:8080/simple",
      "PIP_TRUSTED_HOST=pip.test:8080",
      "http_proxy=http://proxy.test:3128",
      "https_proxy=http://proxy.test:3128",
    ]) {
      assert.ok(one?.args?.includes(word), word);
    }
    assert.ok(two?.args?.includes("https_proxy="));
  });

  test("writes files before it places them, and stops at the first command that fails", async () => {
    const builder = createBuilder((script) =>
      script === "fail" ? { exitCode: 7, stdout: "out\n", stderr: "" } : {},
    );
    const content = Buffer.from("hello").toString("base64");
    const add = {
      type: "add_file",
      args: { path: "/etc/f", content, encoding: "base64" },
    } as const;
    const { lines, stepEvents, result } = start(
      builder,
      manifest(add, run("a", "fail", "never"), run("never")),
    );
    await assert.rejects(result, (error) => {
      assert.ok(error instanceof WireError);
      assert.equal(error.code, "image_build_failed");
      assert.equal(error.message, "Step 2/3 (run) failed: fail ended with exit code 7:\nout");
      assert.equal(error.details?.["exitCode"], 7);
      return true;
    });
    assert.deepEqual([...builder.files.values()], ["hello"]);
    assert.ok(!builder.scripts().includes("never"));
    assert.equal(lines.at(-1), "out");
    assert.deepEqual(stepEvents, [
      "started 1/3 add_file",
      "finished 1/3 add_file",
      "started 2/3 run",
      "failed 2/3 run 7",
    ]);
  });

  test("reports a step that takes too long, and a builder that is lost", async () => {
    const slow = start(
      createBuilder(() => ({ exitCode: -1 })),
      manifest(run("sleep")),
    ).result;
    await assert.rejects(slow, /Step 1\/1 \(run\) failed: sleep did not end within 1800 s/);
    const builder = createBuilder(() => {
      throw new WireError("worker_unavailable", "The worker was lost");
    });
    await assert.rejects(start(builder, manifest(run("x"))).result, {
      code: "image_build_failed",
      message: "Step 1/1 (run) failed: The worker was lost",
    });
  });

  test("quotes no more than the end of a long output", async () => {
    const builder = createBuilder(() => ({ exitCode: 1, stdout: `${"x".repeat(100_000)}end` }));
    await assert.rejects(start(builder, manifest(run("x"))).result, (error) => {
      assert.ok(error instanceof Error && error.message.endsWith("xend"));
      assert.ok(error.message.length < 5_000);
      return true;
    });
  });

  test("begins nothing once it is aborted", async () => {
    const builder = createBuilder();
    const reason = new Error("aborted");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(start(builder, manifest(run("x")), { signal }).result, reason);
    assert.equal(builder.commands.length, 0);
  });
});
