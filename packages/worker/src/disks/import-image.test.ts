import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { importImage, openImage } from "./import-image.ts";

const log = { error: () => undefined };

describe("importImage", () => {
  let root: string;
  let source: string;
  let images: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "image-"));
    source = join(root, "source");
    images = join(root, "images");
    await mkdir(source);
    await mkdir(images);
    await writeFile(join(source, "kernel"), "kernel");
    await writeFile(join(source, "initramfs"), "initramfs");
    await writeFile(join(source, "base.raw"), "start of the disk");
    await truncate(join(source, "base.raw"), 64 * 1024 * 1024);
    const manifest = { fingerprint: "0123456789abcdef", kernelCommandLine: "root=/dev/vda" };
    await writeFile(join(source, "image.json"), JSON.stringify(manifest));
  });
  afterEach(() => rm(root, { recursive: true }));

  test("copies the image once, its disk without the holes", async () => {
    const image = await importImage(source, images, log);
    assert.equal(image.diskMB, 64);
    assert.equal(image.kernelCommandLine, "root=/dev/vda");
    assert.equal(await readFile(image.kernelPath, "utf8"), "kernel");
    assert.ok((await stat(image.diskPath)).blocks * 512 < 1024 * 1024);
    await writeFile(join(source, "kernel"), "another");
    assert.deepEqual(await importImage(source, images, log), image);
    assert.equal(await readFile(image.kernelPath, "utf8"), "kernel");
  });

  test("does not take a copy that was broken off for an image", async () => {
    await mkdir(join(images, "0123456789abcdef.new"));
    await writeFile(join(images, "0123456789abcdef.new/kernel"), "half");
    const image = await importImage(source, images, log);
    assert.equal(await readFile(image.kernelPath, "utf8"), "kernel");
  });

  test("one that cannot be read is set aside, and the image is copied again", async () => {
    const { kernelPath } = await importImage(source, images, log);
    await writeFile(join(images, "0123456789abcdef/image.json"), '{"finger');
    await writeFile(kernelPath, "kept");
    const image = await importImage(source, images, log);
    assert.equal(await readFile(image.kernelPath, "utf8"), "kernel");
    const aside = (await readdir(images)).find((name) => name.includes(".unreadable-"));
    assert.equal(await readFile(join(images, aside ?? "", "kernel"), "utf8"), "kept");
  });

  test("reports what to do when there is no image", async () => {
    await assert.rejects(
      importImage(join(root, "none"), images, log),
      /There is no guest image.*build it/,
    );
    await assert.rejects(openImage(images, "0123456789abcdef"), /There is no image in/);
  });

  test("refuses a manifest whose fingerprint is a path", async () => {
    const manifest = { fingerprint: "../../etc/passwd", kernelCommandLine: "x" };
    await writeFile(join(source, "image.json"), JSON.stringify(manifest));
    await assert.rejects(
      importImage(source, images, log),
      /image\.json is not of the expected form/,
    );
  });
});
