import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { layersOf } from "./saved-state.ts";

describe("layersOf", () => {
  test("reads the worker's own saved.json, and no file that a link in its place leads to", async (t) => {
    const worker = { userId: process.getuid?.() ?? 0 };
    const dataDirectory = await mkdtemp(join(tmpdir(), "saved-state-"));
    t.after(() => rm(dataDirectory, { recursive: true }));
    const saved = join(dataDirectory, "worker/hibernated/sb-1");
    await mkdir(saved, { recursive: true });
    await writeFile(
      join(dataDirectory, "elsewhere.json"),
      JSON.stringify({ disk: { layers: ["0123456789abcdef"] } }),
    );
    await symlink(join(dataDirectory, "elsewhere.json"), join(saved, "saved.json"));
    const read = (user = worker) => layersOf(user, dataDirectory, "worker/hibernated/sb-1");
    await assert.rejects(read(), { code: "ELOOP" });

    await rm(join(saved, "saved.json"));
    await writeFile(
      join(saved, "saved.json"),
      JSON.stringify({ disk: { layers: ["0123456789abcdef"] } }),
    );
    assert.deepEqual(await read(), ["worker/layers/0123456789abcdef.qcow2"]);
    await assert.rejects(read({ userId: worker.userId + 1 }), /must be a regular file of user/);
  });
});
