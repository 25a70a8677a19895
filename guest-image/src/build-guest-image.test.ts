import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildGuestImage } from "./build-guest-image.ts";
import { computeFingerprint } from "./image/fingerprint.ts";
import { writeImage } from "./testing/write-image.ts";

test("buildGuestImage leaves an image of the same sources as it is", async () => {
  const outputDirectory = await mkdtemp(join(tmpdir(), "build-guest-image-"));
  try {
    const fingerprint = await computeFingerprint({
      agentDirectory: fileURLToPath(new URL("../../guest-agent", import.meta.url)),
      buildDirectory: fileURLToPath(new URL(".", import.meta.url)),
    });
    const manifest = await writeImage(outputDirectory, fingerprint);
    const onProgress = (line: string): void => assert.fail(`it began to build: ${line}`);
    assert.deepEqual(await buildGuestImage({ outputDirectory, onProgress }), {
      manifest,
      origin: "present",
    });
    assert.deepEqual((await readdir(outputDirectory)).sort(), [
      "base.raw",
      "image.json",
      "initramfs",
      "kernel",
    ]);
  } finally {
    await rm(outputDirectory, { recursive: true });
  }
});
