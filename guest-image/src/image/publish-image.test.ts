import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { writeImage } from "../testing/write-image.ts";
import { readBuiltImage } from "./built-image.ts";
import { publishImage } from "./publish-image.ts";

describe("publishImage", () => {
  let output = "";
  let partial = "";
  beforeEach(async () => {
    output = await mkdtemp(join(tmpdir(), "publish-image-"));
    partial = join(output, ".partial-1");
    await writeImage(output, "a".repeat(64));
    await writeImage(partial, "b".repeat(64));
  });
  afterEach(async () => await rm(output, { recursive: true }));

  test("replaces the image that is there", async () => {
    await publishImage(partial, output);
    assert.equal((await readBuiltImage(output))?.fingerprint, "b".repeat(64));
  });

  for (const missing of ["kernel", "initramfs", "base.raw", "image.json"]) {
    test(`leaves no image when it breaks off at ${missing}`, async () => {
      await rm(join(partial, missing));
      await assert.rejects(publishImage(partial, output), /ENOENT/);
      assert.equal(await readBuiltImage(output), undefined);
    });
  }
});
