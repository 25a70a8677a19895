import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import type { Sandbox } from "@opencomputer/sdk";

describe("what a sandbox is made of", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await startSharedScenario();
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const measure = async (sandbox: Sandbox) => {
    const { stdout } = await sandbox.exec.run("nproc; free -m | awk '/^Mem:/ { print $2 }'");
    const [cpuCount, memoryMB] = stdout.trim().split("\n").map(Number);
    return { cpuCount, memoryMB: memoryMB ?? 0 };
  };
  /** The kernel keeps a part for itself before `free` counts. */
  const isAbout = (found: number, wanted: number) => found > wanted * 0.85 && found <= wanted;

  test("by default one CPU and 1024 MB", async () => {
    const sandbox = await scenario.createSandbox();
    const { cpuCount, memoryMB } = await measure(sandbox);
    assert.equal(cpuCount, 1);
    assert.ok(isAbout(memoryMB, 1024), `${memoryMB} MB`);
    await sandbox.kill();
  });

  for (const { cpuCount, memoryMB } of [
    { cpuCount: 2, memoryMB: 2048 },
    { cpuCount: 1, memoryMB: 512 },
  ]) {
    test(`${cpuCount} CPUs and ${memoryMB} MB when asked for`, async () => {
      const sandbox = await scenario.createSandbox({ cpuCount, memoryMB });
      const found = await measure(sandbox);
      assert.equal(found.cpuCount, cpuCount);
      assert.ok(isAbout(found.memoryMB, memoryMB), `${found.memoryMB} MB`);
      await sandbox.kill();
    });
  }

  test("a size outside the limits is refused by name", async () => {
    await assert.rejects(scenario.createSandbox({ memoryMB: 128 }), /memoryMB/);
    await assert.rejects(scenario.createSandbox({ cpuCount: 99 }), /cpuCount/);
    await assert.rejects(scenario.createSandbox({ diskMB: 20_479 }), /diskMB/);
  });

  for (const [asked, sizeMBMin] of [
    [undefined, 19_000],
    [24_576, 23_000],
  ] as const) {
    test(`a disk of ${asked ?? "20480, the default,"} MB`, async () => {
      const sandbox = await scenario.createSandbox({ diskMB: asked });
      const { stdout } = await sandbox.exec.run("df --output=size -BM / | tail -1");
      assert.ok(Number.parseInt(stdout, 10) > sizeMBMin, stdout);
      await sandbox.kill();
    });
  }

  test("writes beyond the size of its disk fail inside the sandbox, to files and to the device", async () => {
    const sandbox = await scenario.createSandbox();
    const { stdout: device } = await sandbox.exec.run("findmnt --noheadings --output SOURCE /");
    const write = (path: string, seekBytes: string) =>
      sandbox.exec.run(
        `sudo dd if=/dev/zero of=${path} bs=4096 count=1 conv=fsync,notrunc oflag=seek_bytes seek=${seekBytes}`,
      );
    const full = await sandbox.exec.run("fallocate --length 21G /workspace/file");
    assert.notEqual(full.exitCode, 0);
    assert.match(full.stderr, /No space left on device/);

    const end = `$(sudo blockdev --getsize64 ${device.trim()})`;
    const beyond = await write(device.trim(), end);
    assert.notEqual(beyond.exitCode, 0);
    assert.match(beyond.stderr, /No space left on device/);
    // The device takes what lies before its end.
    assert.equal((await write("/workspace/file", "0")).exitCode, 0);
    await sandbox.kill();
  });

  test("python is python3, and Node.js with npm is a supported release", async () => {
    const sandbox = await scenario.createSandbox();
    const { stdout, exitCode, stderr } = await sandbox.exec.run(
      "set -e; node --version; npm --version; python --version; python3 --version; readlink -f $(command -v python) $(command -v python3)",
    );
    assert.equal(exitCode, 0, stderr);
    const [node = "", npm = "", python, python3, program, program3] = stdout.trim().split("\n");
    assert.match(node, /^v24\./);
    assert.match(npm, /^11\./);
    assert.equal(python, python3);
    assert.equal(program, program3);
    await sandbox.kill();
  });

  test("the tools an agent expects, and a user who may become root", async () => {
    const sandbox = await scenario.createSandbox({ envs: { GREETING: 'it\'s "here"\n$HOME' } });
    const { stdout, exitCode, stderr } = await sandbox.exec.run(
      'set -e; id -un; pwd; sudo id -un; for t in python python3 pip node npm git curl gcc make; do command -v $t > /dev/null || echo missing $t; done; touch /workspace/mine; printf %s "$GREETING"',
    );
    assert.equal(exitCode, 0, stderr);
    assert.equal(stdout, 'sandbox\n/home/sandbox\nroot\nit\'s "here"\n$HOME');
    await sandbox.kill();
  });

  test("separate streams, exit code, environment and directory of a command", async () => {
    const sandbox = await scenario.createSandbox();
    const result = await sandbox.exec.run("echo out; echo err >&2; printenv A; pwd; exit 7", {
      envs: { A: "b" },
      cwd: "/tmp",
    });
    assert.deepEqual(
      [result.exitCode, result.stdout, result.stderr],
      [7, "out\nb\n/tmp\n", "err\n"],
    );
    await sandbox.kill();
  });

  test("files are written and read byte by byte, in any size", async () => {
    const sandbox = await scenario.createSandbox();
    const small = randomBytes(1000);
    await sandbox.files.write("notes/small.bin", small);
    assert.deepEqual(
      Buffer.from(await sandbox.files.readBytes("/home/sandbox/notes/small.bin")),
      small,
    );
    const large = randomBytes(24 * 1024 * 1024);
    await sandbox.files.write("/workspace/large.bin", large);
    const { stdout } = await sandbox.exec.run("sha256sum < /workspace/large.bin");
    assert.equal(stdout.split(" ")[0], createHash("sha256").update(large).digest("hex"));
    const digest = createHash("sha256");
    for await (const chunk of await sandbox.files.readStream("/workspace/large.bin"))
      digest.update(chunk);
    assert.equal(digest.digest("hex"), stdout.split(" ")[0]);
    assert.deepEqual(
      (await sandbox.files.list("/workspace")).map(({ name, isDir, size }) => ({
        name,
        isDir,
        size,
      })),
      [{ name: "large.bin", isDir: false, size: large.length }],
    );
    const download = await sandbox.files.downloadUrl("/workspace/large.bin");
    const fetched = Buffer.from(await (await fetch(download.url)).arrayBuffer());
    assert.ok(fetched.equals(large), "a signed URL needs no key");
    const altered = download.url.replace("large.bin", "other.bin");
    assert.equal((await fetch(altered)).status, 403);
    assert.equal(await sandbox.files.exists("/workspace/large.bin"), true);
    await sandbox.files.remove("/workspace/large.bin");
    assert.equal(await sandbox.files.exists("/workspace/large.bin"), false);
    await sandbox.kill();
  });
});
