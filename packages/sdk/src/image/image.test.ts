import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { imageManifestSchema } from "@opencomputer/protocol/api";
import { OpenComputerError } from "../open-computer-error.ts";
import { Image } from "./image.ts";

describe("Image", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "image-test-"));
    await mkdir(join(folder, "app", "sub"), { recursive: true });
    await writeFile(join(folder, "app", "b.txt"), "b");
    await writeFile(join(folder, "app", "a.txt"), "a");
    await writeFile(join(folder, "app", "sub", "c.bin"), Buffer.from([0, 255]));
    await symlink("a.txt", join(folder, "app", "link"));
  });
  after(() => rm(folder, { recursive: true }));

  test("makes the manifest of its steps, in their order", () => {
    const image = Image.base()
      .aptInstall(["git", "curl"])
      .pipInstall(["pandas==2.0"])
      .runCommands("echo one", "echo two")
      .runCommands(["echo three"])
      .env({ B: "2", A: "1" })
      .workdir("/app")
      .addFile("/app/hello", "hé\n");
    const manifest = image.toJSON();
    assert.deepEqual(manifest, {
      base: "base",
      steps: [
        { type: "apt_install", args: { packages: ["git", "curl"] } },
        { type: "pip_install", args: { packages: ["pandas==2.0"] } },
        { type: "run", args: { commands: ["echo one", "echo two"] } },
        { type: "run", args: { commands: ["echo three"] } },
        { type: "env", args: { vars: { A: "1", B: "2" } } },
        { type: "workdir", args: { path: "/app" } },
        {
          type: "add_file",
          args: {
            path: "/app/hello",
            content: Buffer.from("hé\n").toString("base64"),
            encoding: "base64",
          },
        },
      ],
    });
    assert.deepEqual(imageManifestSchema.parse(JSON.parse(JSON.stringify(image))), manifest);
  });

  test("is never changed: what is made from it leaves it as it was", () => {
    const base = Image.base().runCommands("true");
    const one = base.env({ ONE: "1" });
    const other = base.env({ OTHER: "1" }).builderMemory(2048);
    assert.equal(base.toJSON().steps.length, 1);
    assert.deepEqual(one.toJSON().steps[1], { type: "env", args: { vars: { ONE: "1" } } });
    assert.deepEqual(other.toJSON().steps[1], { type: "env", args: { vars: { OTHER: "1" } } });
    assert.equal(one.toJSON().builderMemoryMB, undefined);
    assert.equal(other.toJSON().builderMemoryMB, 2048);
  });

  test("has the SHA-256 of base and steps as its cache key", () => {
    const image = Image.base().aptInstall(["git"]);
    const json = '{"base":"base","steps":[{"type":"apt_install","args":{"packages":["git"]}}]}';
    assert.equal(image.cacheKey(), createHash("sha256").update(json).digest("hex"));
    assert.equal(image.builderMemory(4096).cacheKey(), image.cacheKey());
    assert.notEqual(Image.base().aptInstall(["git", "curl"]).cacheKey(), image.cacheKey());
    const env = Image.base().env({ A: "1", B: "2" });
    assert.equal(Image.base().env({ B: "2", A: "1" }).cacheKey(), env.cacheKey());
  });

  test("reads local directories in an order that is the same everywhere", () => {
    const [step] = Image.base().addLocalDir(join(folder, "app"), "/app").toJSON().steps;
    assert.ok(step?.type === "add_dir");
    assert.deepEqual(step.args.files, [
      { relativePath: "a.txt", content: "YQ==" },
      { relativePath: "b.txt", content: "Yg==" },
      { relativePath: "link", content: "YQ==" },
      { relativePath: "sub/c.bin", content: "AP8=" },
    ]);
  });

  test("reads a local file when it is added, large ones too", async () => {
    const path = join(folder, "large");
    const content = Buffer.alloc(300_000, "x");
    await writeFile(path, content);
    const image = Image.base().addLocalFile(path, "/large");
    await writeFile(path, "another");
    const [step] = image.toJSON().steps;
    assert.ok(step?.type === "add_file");
    assert.equal(step.args.content, content.toString("base64"));
  });

  test("names the local file that is not there, and what is no file", async () => {
    const missing = join(folder, "missing");
    for (const add of [
      () => Image.base().addLocalFile(missing, "/f"),
      () => Image.base().addLocalDir(missing, "/d"),
    ]) {
      assert.throws(add, (error) => {
        assert.ok(error instanceof OpenComputerError);
        assert.equal(error.code, "invalid_request");
        assert.match(error.message, /Cannot read .*missing/);
        return true;
      });
    }
    const linked = join(folder, "linked");
    await mkdir(linked);
    await symlink(folder, join(linked, "loop"));
    assert.throws(() => Image.base().addLocalDir(linked, "/d"), /Cannot add .*loop/);
  });
});
