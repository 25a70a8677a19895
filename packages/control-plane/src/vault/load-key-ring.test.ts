import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { loadKeyRing } from "./load-key-ring.ts";

describe("loadKeyRing", () => {
  let dataDirectory: string;
  let recording: ReturnType<typeof createRecordingLogger>;
  const load = (configuredKey?: string) =>
    loadKeyRing({
      configuredKey,
      dataDirectory,
      logger: recording.logger,
    });
  beforeEach(async () => {
    dataDirectory = await mkdtemp(join(tmpdir(), "opencomputer-key-"));
    recording = createRecordingLogger();
  });
  afterEach(() => rm(dataDirectory, { recursive: true, force: true }));

  test("makes a key once, of mode 0600, warns, and finds it again", async () => {
    const first = (await load()).key("v1");
    const path = join(dataDirectory, "encryption-key");
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.match(recording.lines(), /OPENSANDBOX_SECRET_ENCRYPTION_KEY/);
    assert.ok(!recording.lines().includes(first.toString("hex")));
    assert.deepEqual((await load()).key("v1"), first);
    assert.equal((await readFile(path, "utf8")).trim(), first.toString("hex"));
  });

  test("takes the configured key, writes no file and does not warn", async () => {
    const ring = await load("ab".repeat(32));
    assert.equal(ring.key("v1").toString("hex"), "ab".repeat(32));
    assert.equal(recording.lines(), "");
    await assert.rejects(stat(join(dataDirectory, "encryption-key")), { code: "ENOENT" });
  });

  test("refuses a damaged key file, naming it and not its content", async () => {
    await writeFile(join(dataDirectory, "encryption-key"), "damaged-content\n");
    await assert.rejects(
      load(),
      (error: Error) =>
        error.message.includes(join(dataDirectory, "encryption-key")) &&
        !error.message.includes("damaged-content"),
    );
  });
});
