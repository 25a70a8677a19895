import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import { type BuildLogEvent, Image, Sandbox, Snapshots } from "@opencomputer/sdk/node";

const host = "api.example.test";

describe("images and snapshots", () => {
  let scenario: Scenario;
  let snapshots: Snapshots;
  let folder: string;
  let image: Image;
  before(async () => {
    scenario = await startSharedScenario({ hosts: [host] });
    snapshots = new Snapshots(scenario.connection);
    folder = await mkdtemp(join(tmpdir(), "opencomputer-image-"));
    await mkdir(join(folder, "source/lib"), { recursive: true });
    await writeFile(join(folder, "source/main.py"), "print('main')\n");
    await writeFile(join(folder, "source/lib/part.txt"), "part\n");
    image = Image.base()
      .aptInstall(["greeter"])
      .pipInstall(["tinypackage==1.2.3"])
      .env({ MODE: "image", PATH: "/opt/tools:/usr/local/bin:/usr/bin:/bin", QUOTED: `a'b "c" $d` })
      .workdir("/srv/project")
      .runCommands(
        "id -un > made-by; pwd >> made-by; echo $MODE >> made-by",
        `[ "$QUOTED" = 'a'"'"'b "c" $d' ]`,
        "mkdir -p /opt/tools && printf '#!/bin/sh\\necho tool\\n' > /opt/tools/tool && chmod +x /opt/tools/tool",
      )
      .addFile("/etc/example.conf", "setting = ü\n")
      .addFile("notes.txt", new Uint8Array([0, 255]))
      .addLocalDir(join(folder, "source"), "source")
      .addLocalFile(join(folder, "source/main.py"), "copied.py");
  });
  after(async () => {
    await rm(folder, { recursive: true });
    assert.deepEqual(await scenario.end(), []);
  });

  const output = async (sandbox: Sandbox, script: string) => {
    const result = await sandbox.exec.run(script, { timeout: 120 });
    assert.equal(result.exitCode, 0, `${script}:\n${result.stdout}\n${result.stderr}`);
    return result.stdout;
  };

  test("an image is built from its steps, with the log as it comes", async () => {
    const events: BuildLogEvent[] = [];
    const snapshot = await snapshots.create({
      ...{ name: "built", image },
      onBuildLog: (event) => void events.push(event),
    });
    assert.deepEqual([snapshot.status, snapshot.contentHash], ["ready", image.cacheKey()]);
    const messages = events.map(({ message }) => message);
    assert.ok(messages.includes("Step 1/9: apt_install greeter"), messages.join("\n"));
    assert.ok(messages.some((message) => /Setting up greeter/.test(message)));
    assert.ok(messages.some((message) => /Successfully installed tinypackage/.test(message)));
    assert.ok(messages.includes("Step 9/9 completed"));
  });

  test("the result of the steps is in every sandbox of it, and applies to every command", async () => {
    const sandbox = await scenario.createSandbox({ snapshot: "built", envs: { OWN: "1" } });
    assert.equal(await output(sandbox, "greet"), "hello from greeter\n");
    assert.equal(
      await output(sandbox, "python3 -c 'import tinypackage; print(tinypackage.__version__)'"),
      "1.2.3\n",
    );
    assert.equal(
      await output(sandbox, "pwd; echo $MODE $OWN; tool"),
      "/srv/project\nimage 1\ntool\n",
    );
    assert.equal(await output(sandbox, 'printf %s "$QUOTED"'), `a'b "c" $d`);
    assert.equal(await output(sandbox, "cat made-by"), "root\n/srv/project\nimage\n");
    assert.equal(
      await output(
        sandbox,
        "stat -c '%U %n' . /etc/example.conf notes.txt source source/lib/part.txt",
      ),
      "sandbox .\nroot /etc/example.conf\nsandbox notes.txt\nsandbox source\nsandbox source/lib/part.txt\n",
    );
    assert.equal(
      await output(sandbox, "cat /etc/example.conf source/lib/part.txt"),
      "setting = ü\npart\n",
    );
    assert.equal(
      await output(sandbox, "python3 copied.py; od -An -tx1 notes.txt"),
      "main\n 00 ff\n",
    );
    const elsewhere = await sandbox.exec.run("pwd; echo $MODE", {
      cwd: "/tmp",
      envs: { MODE: "own" },
    });
    assert.equal(elsewhere.stdout, "/tmp\nown\n");
    await sandbox.kill();
  });

  test("nothing of the build remains: no mirror, no index, no staging, no lists", async () => {
    const sandbox = await scenario.createSandbox({ image });
    const traces = await sandbox.exec.run(
      "env | grep -i -e pip_index -e proxy -e example.test; grep -rl example.test /etc /root /home /srv 2>/dev/null; ls -A /var/tmp /var/lib/apt/lists",
    );
    assert.equal(traces.stdout, "/var/lib/apt/lists:\n\n/var/tmp:\n");
    assert.match(
      await output(sandbox, "cat /etc/apt/sources.list.d/debian.sources"),
      /deb\.debian\.org/,
    );
    await sandbox.kill();
  });

  test("each sandbox of a snapshot has its own store's secrets, and its own identity", async () => {
    const stores = await Promise.all(
      ["first-key", "second-key"].map((value) =>
        scenario.createStore({ egressAllowlist: [host], secrets: { API_KEY: value } }),
      ),
    );
    const seen = new Set<string>();
    for (const [index, store] of stores.entries()) {
      const sandbox = await scenario.createSandbox({ snapshot: "built", secretStore: store.name });
      const token = await output(sandbox, "echo $API_KEY");
      assert.match(token, /^osb_sealed_[0-9a-f]{32}\n$/);
      await output(sandbox, `curl -sS -H "x-api-key: $API_KEY" https://${host}/`);
      const request = scenario.internet.requestsTo(host).at(-1);
      assert.equal(request?.headers["x-api-key"], ["first-key", "second-key"][index]);
      const identity = await output(
        sandbox,
        "cat /etc/machine-id; hostname; head -c 16 /dev/urandom | od -An -tx1",
      );
      for (const line of [token, ...identity.trim().split("\n")]) {
        assert.ok(!seen.has(line), `${line} is shared`);
        seen.add(line);
      }
      await sandbox.kill();
    }
  });

  test("the same content is not built again, also by a service that was restarted", async () => {
    for (const part of ["worker", "control-plane"] as const) {
      await scenario.installation.kill(part);
    }
    await scenario.installation.untilReady();
    const events: BuildLogEvent[] = [];
    const onBuildLog = (event: BuildLogEvent) => void events.push(event);
    await snapshots.create({ name: "again", image, onBuildLog });
    assert.deepEqual(
      events.map(({ type }) => type),
      ["cache_hit"],
    );
    await snapshots.delete("again");
  });

  test("a failed step reports which and why, and leaves nothing", async () => {
    const failing = Image.base().runCommands("echo fine", "echo the reason >&2; exit 3");
    await assert.rejects(snapshots.create({ name: "failing", image: failing }), {
      code: "image_build_failed",
      status: 422,
      message:
        "Step 1/1 (run) failed: echo the reason >&2; exit 3 ended with exit code 3:\nthe reason",
    });
    const missing = Image.base().aptInstall(["no-such-package"]);
    await assert.rejects(Sandbox.create({ ...scenario.connection, image: missing }), {
      code: "image_build_failed",
      message: /Step 1\/1 \(apt_install\) failed.*no-such-package/s,
    });
    assert.deepEqual(await Sandbox.list(scenario.connection), []);
    assert.deepEqual(
      (await snapshots.list()).map(({ name }) => name),
      ["built"],
    );
  });

  test("a sandbox has nothing of the builder's memory (full run)", async () => {
    const large = Image.base()
      .runCommands("free -m | awk '/Mem:/ { print $2 }'")
      .builderMemory(2048);
    const lines: string[] = [];
    const memoryOf = async (memoryMB: number) => {
      const sandbox = await scenario.createSandbox({
        ...{ image: large, memoryMB },
        onBuildLog: ({ type, message }) => void (type === "output" && lines.push(message)),
      });
      const megabytes = Number(await output(sandbox, "free -m | awk '/Mem:/ { print $2 }'"));
      await sandbox.kill();
      return megabytes;
    };
    for (const memoryMB of [1024, 512, 3072]) {
      const megabytes = await memoryOf(memoryMB);
      assert.ok(
        megabytes > memoryMB * 0.75 && megabytes <= memoryMB,
        `${megabytes} of ${memoryMB}`,
      );
    }
    assert.ok(Number(lines[0]) > 1700, `the builder had ${lines[0]} MB`);
  });

  test("a sandbox of it is of any size, and outlives its snapshot", async () => {
    const sandbox = await scenario.createSandbox({
      ...{ snapshot: "built", memoryMB: 2048, cpuCount: 2 },
    });
    assert.equal(await output(sandbox, "nproc"), "2\n");
    const megabytes = Number(await output(sandbox, "free -m | awk '/Mem:/ { print $2 }'"));
    assert.ok(megabytes > 1700, `${megabytes} MB`);
    await snapshots.delete("built");
    await assert.rejects(scenario.createSandbox({ snapshot: "built" }), {
      code: "snapshot_not_found",
    });
    assert.equal(await output(sandbox, "greet"), "hello from greeter\n");
  });
});
