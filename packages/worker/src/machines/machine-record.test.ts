import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { migrateRecord } from "../files/record-kind.ts";
import { savedManifestKind } from "../saved-machines/saved-manifest.ts";
import { sandboxSpec } from "../testing/fake-machines.ts";
import { machineRecordKind } from "./machine-record.ts";

const disk = { goldenFingerprint: "0".repeat(32), layers: ["0".repeat(16)], sizeMB: 16 };
const shared = {
  imageFingerprint: "image-1",
  baseMemoryMB: 1024,
  cpuCount: 1,
  memoryMB: 1024,
  disk,
};
const first = {
  id: "00000000000000aa",
  process: { pid: 2, startTicks: "1" },
  slotIndex: 0,
  accelerator: "tcg",
  diskMB: 16,
  hasMemory: true,
  isFresh: true,
  lostBecause: null,
  sandbox: sandboxSpec(),
  phase: "started",
  ...shared,
};
const ids = {
  isContinuation: true,
  hookError: "on-fork.d/a ended with 1",
  machineId: "3f0c8a52-5d0b-4f6e-8f6e-0a8d6a3f1b11",
  startedAtUnixMilliseconds: 1796000000000,
};
const none = {
  isContinuation: false,
  hookError: null,
  machineId: null,
  startedAtUnixMilliseconds: null,
};
const tcg = { machineType: "q35", processorModel: "max,erms=off" };

describe("machine.json", () => {
  for (const [what, record, expected] of [
    ["without ids", first, { ...first, ...none, ...tcg }],
    ["with ids", { ...first, ...ids }, { ...first, ...ids, ...tcg }],
    [
      "of a machine with KVM",
      { ...first, accelerator: "kvm" },
      { ...first, accelerator: "kvm", ...none, machineType: "q35", processorModel: "host" },
    ],
  ] as const) {
    test(`one of version 1 ${what} is read`, () => {
      assert.deepEqual(migrateRecord(machineRecordKind, record), expected);
    });
  }

  test("one of version 2 is read as it is; without its shape it is refused", () => {
    const second = { ...first, ...ids, machineType: "pc-q35-9.0", processorModel: "EPYC" };
    assert.deepEqual(migrateRecord(machineRecordKind, { version: 2, ...second }), second);
    assert.throws(() => migrateRecord(machineRecordKind, { version: 2, ...first, ...ids }));
  });
});

describe("saved.json", () => {
  const saved = {
    kind: "full",
    accelerator: "tcg",
    machineFingerprint: "fingerprint-1",
    sizeBytes: 1,
    pauseMilliseconds: 1,
    sandbox: null,
    lostBecause: null,
    ...shared,
  };

  test("one of version 1 is of the machine that there was then", () => {
    assert.deepEqual(migrateRecord(savedManifestKind, saved), { ...saved, ...tcg });
  });

  test("one that names no accelerator is refused", () => {
    const { accelerator: _, ...damaged } = saved;
    assert.throws(() => migrateRecord(savedManifestKind, damaged), /accelerator/);
  });
});
