import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { extractArchive } from "./archive.ts";
import { ArchivedState } from "./archived-state.ts";

test("ArchivedState archives the texts that were read, not what has replaced their files since", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "archived-state-"));
  t.after(() => rm(directory, { recursive: true }));
  const [dataDirectory = "", backupDirectory = "", restored = ""] = await Promise.all(
    ["data/control-plane", "backup", "restored"].map((path) =>
      mkdir(join(directory, path), { recursive: true }).then(() =>
        join(directory, path.split("/")[0] ?? ""),
      ),
    ),
  );
  await writeFile(join(directory, "elsewhere"), "canary");
  await symlink(join(directory, "elsewhere"), join(dataDirectory, "control-plane/api-key"));

  const archives = new ArchivedState({
    dataDirectory,
    backupDirectory,
    worker: { name: "worker", userId: 0, groupId: 0 },
  });
  await archives.addTexts("control-plane", new Map([["api-key", "as it was read"]]));

  const [part, ...others] = archives.parts();
  assert.ok(part !== undefined && others.length === 0);
  assert.deepEqual(await readdir(backupDirectory), [part.file]);
  await extractArchive(join(backupDirectory, part.file), restored);
  const file = join(restored, "control-plane/api-key");
  assert.equal(await readFile(file, "utf8"), "as it was read");
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});
