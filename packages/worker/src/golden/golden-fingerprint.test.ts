import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type GoldenInputs, goldenFingerprint } from "./golden-fingerprint.ts";

const inputs: GoldenInputs = {
  imageFingerprint: "image-1",
  certificatePem: "certificate-1",
  shape: { accelerator: "tcg", baseMemoryMB: 1024 },
  hypervisorVersion: "7.2.22",
  processor: "Xeon",
  machineArguments: ["-smp", "1"],
};

describe("goldenFingerprint", () => {
  test("is the same for the same inputs", () => {
    assert.equal(goldenFingerprint(inputs), goldenFingerprint({ ...inputs }));
    assert.match(goldenFingerprint(inputs), /^[0-9a-f]{32}$/);
  });

  const changes: Partial<GoldenInputs>[] = [
    { imageFingerprint: "image-2" },
    { certificatePem: "certificate-2" },
    { shape: { accelerator: "kvm", baseMemoryMB: 1024 } },
    { shape: { accelerator: "tcg", baseMemoryMB: 2048 } },
    { hypervisorVersion: "9.0" },
    { machineArguments: ["-smp", "2"] },
    { machineArguments: ["-smp 1"] },
  ];
  for (const change of changes) {
    test(`differs for another ${JSON.stringify(change)}`, () => {
      assert.notEqual(goldenFingerprint({ ...inputs, ...change }), goldenFingerprint(inputs));
    });
  }

  test("names the processor only where guests see it", () => {
    const onKvm = { ...inputs, shape: { accelerator: "kvm", baseMemoryMB: 1024 } } as const;
    assert.equal(goldenFingerprint({ ...inputs, processor: "EPYC" }), goldenFingerprint(inputs));
    assert.notEqual(goldenFingerprint({ ...onKvm, processor: "EPYC" }), goldenFingerprint(onKvm));
  });
});
