import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { holdRuntimeDirectory } from "./runtime-directory.ts";
import { holdInstallation } from "./single-instance.ts";

describe("holdInstallation", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "single-"));
  });
  after(() => rm(directory, { recursive: true }));
  const installationAt = (socket: string) => ({
    supervisorSocket: join(directory, socket),
    runtimeDirectory: directory,
    dataDirectory: directory,
  });

  test("refuses a second holder until the first releases it", async () => {
    const installation = installationAt("supervisor.sock");
    const release = await holdInstallation(installation);
    await assert.rejects(holdInstallation(installation), /already runs on this data directory/);
    await release();
    await (await holdInstallation(installation))();
  });

  test("refuses a copy of the data directory while the original runs, and names the original", async () => {
    const installation = installationAt("copy.sock");
    const release = await holdInstallation(installation);
    await holdRuntimeDirectory(directory, directory);
    const copy = { ...installation, dataDirectory: "/copy" };
    await assert.rejects(holdInstallation(copy), {
      message: new RegExp(`runs on ${directory}, of which /copy is a copy`),
    });
    await release();
    await (await holdInstallation(copy))();
  });

  test("takes over from one that was killed and left its socket behind", async () => {
    const installation = installationAt("stale.sock");
    await writeFile(installation.supervisorSocket, "");
    await (await holdInstallation(installation))();
  });
});
