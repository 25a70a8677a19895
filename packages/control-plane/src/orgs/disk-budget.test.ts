import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defaults, limits } from "@opencomputer/protocol/api";
import {
  defaultDiskMBPerOrgMax,
  diskUsageMB,
  imageBytesMax,
  type StoredSizes,
} from "./disk-budget.ts";

const nothing: StoredSizes = { sandboxes: [], checkpoints: [], imagesBytes: 0 };
const size = { diskMB: 30_000, memoryMB: 512, count: 1 };

describe("diskUsageMB", () => {
  const cases: [string, Partial<StoredSizes>, number][] = [
    ["nothing", {}, 0],
    ["a sandbox, with its memory", { sandboxes: [size] }, 30_512],
    [
      "a sandbox with the disk of the base image",
      { sandboxes: [{ ...size, diskMB: null }] },
      limits.diskMBMin + 512,
    ],
    ["as many as there are of a size", { sandboxes: [{ ...size, count: 3 }, size] }, 4 * 30_512],
    [
      "a checkpoint with memory",
      { checkpoints: [{ ...size, diskMB: null, kind: "full" }] },
      limits.diskMBMin + 512,
    ],
    [
      "checkpoints of the disk alone",
      { checkpoints: [{ ...size, kind: "disk_only", count: 2 }] },
      60_000,
    ],
    ["a part of a MB of images as a whole one", { imagesBytes: 1024 * 1024 + 1 }, 2],
    [
      "all of them together",
      {
        sandboxes: [size],
        checkpoints: [{ ...size, kind: "full" }],
        imagesBytes: imageBytesMax(1024),
      },
      2 * 30_512 + limits.diskMBMin + 1024,
    ],
  ];
  for (const [name, stored, expectedMB] of cases) {
    test(`counts ${name}`, () => {
      assert.equal(diskUsageMB({ ...nothing, ...stored }), expectedMB);
    });
  }
});

describe("defaultDiskMBPerOrgMax", () => {
  for (const sandboxesPerOrgMax of [1, defaults.sandboxesPerOrgMax, 100_000]) {
    test(`allows ${sandboxesPerOrgMax} sandboxes of the default size and a checkpoint of each`, () => {
      const group = { diskMB: null, memoryMB: defaults.memoryMB, count: sandboxesPerOrgMax };
      const usedMB = diskUsageMB({
        sandboxes: [group],
        checkpoints: [{ ...group, kind: "full" }],
        imagesBytes: 0,
      });
      assert.equal(defaultDiskMBPerOrgMax(sandboxesPerOrgMax), usedMB);
    });
  }
});
