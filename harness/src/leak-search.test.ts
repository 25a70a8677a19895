import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { searchDirectory, searchProcessMemory } from "./leak-search.ts";

const value = 'sk-ant/canary 7d1f"0a9b';

describe("searchDirectory", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "leak-search-"));
  });
  after(() => rm(directory, { recursive: true }));

  const forms: [string, Buffer][] = [
    ["as it is", Buffer.from(`key=${value};`)],
    ["in a URL", Buffer.from(`/?key=${encodeURIComponent(value)}`)],
    ["in a form", Buffer.from(new URLSearchParams({ key: value }).toString())],
    ["in JSON", Buffer.from(JSON.stringify({ key: value }))],
    ["in hexadecimal", Buffer.from(Buffer.from(value).toString("hex"))],
    ["in base64", Buffer.from(Buffer.from(`user:${value}`).toString("base64"))],
    [
      "in base64 at another alignment",
      Buffer.from(Buffer.from(`users:${value}!`).toString("base64")),
    ],
    ["across two chunks", Buffer.concat([Buffer.alloc(8 * 1024 * 1024 - 5), Buffer.from(value)])],
  ];
  for (const [name, content] of forms) {
    test(`finds a value ${name}`, async () => {
      const file = join(directory, "file");
      await writeFile(file, content);
      const { leaks } = await searchDirectory(directory, [value]);
      assert.ok(leaks.some((leak) => leak.place === file));
    });
  }

  test("finds nothing where there is nothing, and reports how much it read", async () => {
    await writeFile(join(directory, "file"), "sk-ant-other");
    assert.deepEqual(await searchDirectory(directory, [value]), { leaks: [], bytesSearched: 12 });
  });
});

describe("searchProcessMemory", () => {
  const start = async (argument: string) => {
    const child = spawn(
      process.execPath,
      [
        "-e",
        "global.kept = Buffer.from(process.argv[1], 'hex'); console.log('ready'); setInterval(() => {}, 1e6)",
        argument,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await once(child.stdout, "data");
    return child;
  };

  test("finds a value that a process holds, and not one that it does not", async () => {
    const child = await start(Buffer.from(value).toString("hex"));
    try {
      const found = await searchProcessMemory(child.pid ?? 0, [value]);
      assert.ok(found.leaks.some((leak) => leak.form === "raw"));
      const absent = await searchProcessMemory(child.pid ?? 0, ["sk-ant-never-given-31c5"]);
      assert.deepEqual(absent.leaks, []);
      assert.ok(absent.bytesSearched > 1024 * 1024);
    } finally {
      child.kill();
    }
  });
});
