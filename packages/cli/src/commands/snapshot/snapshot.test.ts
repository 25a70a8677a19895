import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../../testing/start-oc.ts";

describe("oc snapshot", () => {
  let oc: Oc;
  let folder: string;
  before(async () => {
    oc = await startOc();
    folder = await mkdtemp(join(tmpdir(), "oc-snapshot-"));
    await mkdir(join(folder, "src"));
    await writeFile(join(folder, "src", "main.py"), "print(1)\n");
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await oc.end();
  });

  const stepsOf = async (name: string) =>
    JSON.parse(await oc.done(["snapshot", "get", name, "--json"])).manifest.steps;

  test("create takes its flags in the order they are written in, and joins packages", async () => {
    const words = ["snapshot", "create", "--name", "app", "--apt-install", "git"];
    words.push("--apt-install", "ffmpeg", "--run", "echo a,b", "--pip-install", "pandas");
    words.push("--env", "MODE=x=y", "--workdir", "/app", "--add", `${folder}/src:/app/src`);
    words.push("--add", `${folder}/src/main.py:/app/main.py`, "--apt-install", "jq");
    assert.equal(await oc.done(words), "Created app\n");
    const content = Buffer.from("print(1)\n").toString("base64");
    assert.deepEqual(await stepsOf("app"), [
      { type: "apt_install", args: { packages: ["git", "ffmpeg"] } },
      { type: "run", args: { commands: ["echo a,b"] } },
      { type: "pip_install", args: { packages: ["pandas"] } },
      { type: "env", args: { vars: { MODE: "x=y" } } },
      { type: "workdir", args: { path: "/app" } },
      {
        type: "add_dir",
        args: { path: "/app/src", files: [{ relativePath: "main.py", content }] },
      },
      { type: "add_file", args: { path: "/app/main.py", content, encoding: "base64" } },
      { type: "apt_install", args: { packages: ["jq"] } },
    ]);
  });

  test("create takes a whole manifest from a file or stdin, and nothing else with it", async () => {
    const manifest = { base: "base", steps: [{ type: "run", args: { commands: ["true"] } }] };
    const path = join(folder, "image.json");
    await writeFile(path, JSON.stringify(manifest));
    await oc.done(["snapshot", "create", "--name", "file", "--manifest", path]);
    assert.deepEqual(await stepsOf("file"), manifest.steps);
    const fromStdin = ["snapshot", "create", "--name", "stdin", "--manifest", "-"];
    await oc.done(fromStdin, JSON.stringify(manifest));
    assert.deepEqual(await stepsOf("stdin"), manifest.steps);
    const refused = async (words: string[], input: string, reason: RegExp) => {
      const result = await oc.run(["snapshot", "create", "--name", "no", ...words], { input });
      assert.equal(result.exitCode, 1);
      assert.match(result.stderr, reason);
    };
    await refused(["--manifest", path, "--run", "true"], "", /pass no other image flags/);
    await refused(["--manifest", "-"], "{", /- is not JSON/);
    await refused(
      ["--manifest", "-"],
      '{"base":"other","steps":[]}',
      /manifest .* is malformed: base/,
    );
    await refused(["--add", "nothing"], "", /LOCAL-PATH:PATH/);
    await refused(["--add", `${folder}/none:/x`], "", /Cannot read .*none/);
  });

  test("create writes the log line by line without a terminal, nothing with --json", async () => {
    const words = ["--run", "true", "--apt-install", "git"];
    const plain = await oc.run(["snapshot", "create", "--name", "plain", ...words]);
    const log = "Step 1/2: run\nStep 1/2 completed\nStep 2/2: apt_install\nStep 2/2 completed\n";
    assert.deepEqual([plain.exitCode, plain.stdout, plain.stderr], [0, "Created plain\n", log]);
    const json = await oc.run(["snapshot", "create", "--name", "json", "--json", ...words]);
    assert.equal(json.stderr, "");
    assert.equal(JSON.parse(json.stdout).status, "ready");
  });

  test("create shows the steps on a terminal, no line wider than it", async () => {
    const command = `true ${"x".repeat(200)}`;
    const words = ["snapshot", "create", "--name", "terminal", "--run", command];
    const result = await oc.run(words, { columns: 40 });
    assert.equal(result.exitCode, 0);
    assert.match(result.stderr, /✔ Step 1\/1: run/);
  });

  test("a failed build exits with 3 and says which step; a name in use with 4", async () => {
    const failed = await oc.run(["snapshot", "create", "--name", "failed", "--run", "false"]);
    assert.equal(failed.exitCode, 3);
    assert.match(failed.stderr, /error: Step 1 \(run\) failed/);
    const used = await oc.run(["snapshot", "create", "--name", "app", "--run", "true"]);
    assert.equal(used.exitCode, 4);
  });

  test("list, get and delete; create starts a sandbox from it", async () => {
    const table = await oc.done(["snapshot", "list"]);
    assert.match(table, /^NAME +STATUS +STEPS +LAST USED +AGE\n/);
    assert.match(table, /app +ready +8 +never/);
    const shown = await oc.done(["snapshot", "get", "app"]);
    assert.match(shown, /^Name: +app\n/);
    assert.match(shown, /Step 6: +add_dir \/app\/src \(1 files\)/);
    assert.match(await oc.done(["create", "--snapshot", "app"]), /^sb-/);
    assert.equal(await oc.done(["snapshot", "delete", "app"]), "Deleted app\n");
    assert.equal((await oc.run(["snapshot", "get", "app"])).exitCode, 3);
    assert.equal((await oc.run(["create", "--snapshot", "app"])).exitCode, 3);
  });
});
