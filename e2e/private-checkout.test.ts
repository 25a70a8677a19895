import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, rmdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { copyTemplate, removeDataDirectory, startInstallation } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";

const run = promisify(execFile);

describe("a checkout and a Node below a directory that only root may enter", () => {
  let directory: string;
  let checkout: string;
  let dataDirectory: string;
  before(async () => {
    // As `mktemp -d` makes it, or as /root is.
    directory = await mkdtemp(join(tmpdir(), "private-checkout-"));
    checkout = join(directory, "opencomputer");
    await mkdir(checkout);
    await run("mount", ["--bind", fileURLToPath(new URL("..", import.meta.url)), checkout]);
    await copyFile(process.execPath, join(directory, "node"));
    dataDirectory = await copyTemplate();
  });
  after(async () => {
    await run("umount", [checkout]);
    await rmdir(checkout);
    await rm(directory, { recursive: true });
    await removeDataDirectory(dataDirectory);
  });

  test("the service runs, with its processes as users of their own", async () => {
    assert.equal((await stat(directory)).mode & 0o077, 0);
    const node = join(directory, "node");
    const installation = await startInstallation({
      dataDirectory,
      environment: { OPENCOMPUTER_WARM_POOL_SIZE: "0" },
      program: { checkout, node, code: "compiled" },
    });
    try {
      for (const name of ["control-plane", "egress-proxy"] as const) {
        const [pid] = await installation.pidsOf(name);
        assert.ok(pid !== undefined, name);
        assert.notEqual((await stat(`/proc/${pid}`)).uid, 0, name);
      }
      const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
      const sandbox = await Sandbox.create({ ...connection, timeout: 0 });
      assert.equal((await sandbox.exec.run("echo works")).stdout, "works\n");
      await sandbox.kill();
    } finally {
      await installation.stop();
    }
    assert.equal(installation.exitCode(), 0);
  });
});
