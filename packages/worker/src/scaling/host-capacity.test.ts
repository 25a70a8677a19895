import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { limits, WireError } from "@opencomputer/protocol/api";
import { checkSize, hostCapacity } from "./host-capacity.ts";

const capacity = { cpuCountMax: 2, memoryMBMax: 4096 };

describe("checkSize", () => {
  const fitting = [
    { cpuCount: 1, memoryMB: 256, diskMB: null, checkpointId: null },
    { cpuCount: 2, memoryMB: 4096, diskMB: 8192, checkpointId: null },
    // A fork of a sandbox whose base image was smaller.
    { cpuCount: 1, memoryMB: 256, diskMB: 4096, checkpointId: randomUUID() },
  ];
  for (const spec of fitting) {
    test(`takes ${JSON.stringify(spec)}`, () => checkSize(spec, capacity, 8192));
  }

  const refused = [
    {
      cpuCount: 3,
      memoryMB: 1024,
      diskMB: null,
      checkpointId: null,
      text: "cpuCount must be at most 2 on this host, got 3",
    },
    {
      cpuCount: 1,
      memoryMB: 4097,
      diskMB: null,
      checkpointId: null,
      text: "memoryMB must be at most 4096 on this host, got 4097",
    },
    {
      cpuCount: 1,
      memoryMB: 1024,
      diskMB: 8191,
      checkpointId: null,
      text: "diskMB must be at least 8192, the base image's disk, got 8191",
    },
  ];
  for (const { text, ...spec } of refused) {
    test(`refuses ${JSON.stringify(spec)}`, () => {
      assert.throws(
        () => checkSize(spec, capacity, 8192),
        (error: unknown) =>
          error instanceof WireError &&
          error.code === "unsupported_option" &&
          error.message === text,
      );
    });
  }
});

describe("hostCapacity", () => {
  test("stays within the product's limits", () => {
    const { cpuCountMax, memoryMBMax } = hostCapacity();
    assert.ok(cpuCountMax >= 1 && cpuCountMax <= limits.cpuCountMax);
    assert.ok(memoryMBMax >= 1 && memoryMBMax <= limits.memoryMBMax);
  });
});
