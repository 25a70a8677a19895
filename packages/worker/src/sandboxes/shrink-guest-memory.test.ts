import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol";
import { memoryBlocksToGiveBack, shrinkGuestMemory } from "./shrink-guest-memory.ts";

describe("memoryBlocksToGiveBack", () => {
  const table: [memoryMB: number, blockCount: number][] = [
    [256, 6],
    [300, 5],
    [512, 4],
    [896, 1],
    [897, 0],
    [1024, 0],
    [4096, 0],
  ];
  for (const [memoryMB, blockCount] of table) {
    test(`of 1024 MB, ${blockCount} for ${memoryMB} MB`, () => {
      assert.equal(memoryBlocksToGiveBack(1024, memoryMB), blockCount);
    });
  }
});

describe("shrinkGuestMemory", () => {
  const shrink = (memoryMB: number, stdout: string, exitCode = 0) => {
    const scripts: string[] = [];
    const agent = {
      run: async ({ command }: { command: string[] }) => {
        scripts.push(command[2] ?? "");
        return { exitCode, stdout, stderr: "" };
      },
    };
    return shrinkGuestMemory({ agent, baseMemoryMB: 1024, memoryMB }).then(() => scripts);
  };

  test("asks nothing of a guest that keeps all", async () => {
    assert.deepEqual(await shrink(1024, ""), []);
  });

  test("never takes the first block, where the kernel is", async () => {
    const [script = ""] = await shrink(512, "4\n");
    assert.match(script, /for block in 1 2 3 4 5 6 7; do/);
  });

  test("takes one block less than asked for, and no guest that keeps more", async () => {
    await shrink(256, "5\n");
    for (const [stdout, exitCode] of [
      ["4\n", 0],
      ["", 0],
      ["-6", 0],
      ["6 or so", 0],
      ["6\n", 1],
    ] as const) {
      await assert.rejects(shrink(256, stdout, exitCode), (error: unknown) => {
        assert.ok(error instanceof WireError);
        assert.equal(error.code, "guest_failed");
        return true;
      });
    }
  });
});
