import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { holdInstallation } from "./single-instance.ts";

describe("holdInstallation", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "single-"));
  });
  after(() => rm(directory, { recursive: true }));

  test("refuses a second holder until the first lets go", async () => {
    const socket = join(directory, "supervisor.sock");
    const release = await holdInstallation(socket);
    await assert.rejects(holdInstallation(socket), /already runs on this data directory/);
    await release();
    await (await holdInstallation(socket))();
  });

  test("takes over from one that was killed and left its socket behind", async () => {
    const socket = join(directory, "stale.sock");
    await writeFile(socket, "");
    await (await holdInstallation(socket))();
  });
});
