import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { fitGuestMemory, memoryBlocksToGiveBack } from "./fit-guest-memory.ts";

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

describe("fitGuestMemory", () => {
  const shrink = (memoryMB: number, stdout: string, exitCode = 0) => {
    const scripts: string[] = [];
    const agent = {
      run: async ({ command }: { command: string[] }) => {
        scripts.push(command[2] ?? "");
        return { exitCode, stdout, stderr: "" };
      },
    };
    return fitGuestMemory({ agent, baseMemoryMB: 1024, memoryMB }).then(() => scripts);
  };

  test("a guest that is to have all again brings every block online", async () => {
    const [script = ""] = await shrink(1024, "0\n");
    assert.match(script, /-ge 0 /);
    assert.match(script, /online_movable/);
  });

  test("never takes the first block, where the kernel is", async () => {
    const [script = ""] = await shrink(512, "4\n");
    assert.match(script, /for block in 7 6 5 4 3 2 1; do/);
  });

  test("takes what the kernel can give below 512 MB, and all of it above", async () => {
    for (const stdout of ["6\n", "4\n"]) await shrink(256, stdout);
    await shrink(512, "4\n");
    await assert.rejects(shrink(512, "3\n"), /gave back 3 blocks of 128 MB, of 4/);
  });

  test("refuses a guest that gives back too little or responds with anything else", async () => {
    for (const [stdout, exitCode] of [
      ["3\n", 0],
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
