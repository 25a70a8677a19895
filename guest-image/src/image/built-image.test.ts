import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { writeImage } from "../testing/write-image.ts";
import { type ImageManifest, imageParts, publishImage, readBuiltImage } from "./built-image.ts";

const fingerprint = "f".repeat(64);

describe("readBuiltImage", () => {
  let directory = "";
  let manifest: ImageManifest;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "built-image-"));
    manifest = await writeImage(directory, fingerprint);
  });
  afterEach(async () => await rm(directory, { recursive: true }));

  test("returns the manifest of a complete image", async () => {
    assert.deepEqual(await readBuiltImage(directory), manifest);
  });

  for (const part of [...imageParts, "image.json"]) {
    test(`finds no image without ${part}`, async () => {
      await rm(join(directory, part));
      assert.equal(await readBuiltImage(directory), undefined);
    });
  }

  test("finds no image with a part of another size", async () => {
    await writeFile(join(directory, "kernel"), "ab");
    assert.equal(await readBuiltImage(directory), undefined);
  });

  for (const [name, text] of [
    ["cut off", '{"fingerprint":'],
    ["of another form", '{"fingerprint":"x"}'],
    ["empty", ""],
  ]) {
    test(`finds no image with a manifest that is ${name}`, async () => {
      await writeFile(join(directory, "image.json"), text ?? "");
      assert.equal(await readBuiltImage(directory), undefined);
    });
  }
});

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

  test("replaces an existing image", async () => {
    await publishImage(partial, output);
    assert.equal((await readBuiltImage(output))?.fingerprint, "b".repeat(64));
  });

  for (const missing of ["kernel", "initramfs", "base.raw", "image.json"]) {
    test(`leaves no image when it fails at ${missing}`, async () => {
      await rm(join(partial, missing));
      await assert.rejects(publishImage(partial, output), /ENOENT/);
      assert.equal(await readBuiltImage(output), undefined);
    });
  }
});
