import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { machineFingerprint } from "./machine-fingerprint.ts";

type Inputs = Parameters<typeof machineFingerprint>[0];
const inputs: Inputs = {
  shape: { accelerator: "tcg", baseMemoryMB: 1024 },
  hypervisorVersion: "7.2.22",
  processor: "Xeon",
};

describe("machineFingerprint", () => {
  test("is the same for the same inputs", () => {
    assert.equal(machineFingerprint(inputs), machineFingerprint(structuredClone(inputs)));
    assert.match(machineFingerprint(inputs), /^[0-9a-f]{32}$/);
  });

  const changes: Partial<Inputs>[] = [
    { shape: { accelerator: "kvm", baseMemoryMB: 1024 } },
    { shape: { accelerator: "tcg", baseMemoryMB: 2048 } },
    { hypervisorVersion: "9.0" },
  ];
  for (const change of changes) {
    test(`differs for another ${JSON.stringify(change)}`, () => {
      assert.notEqual(machineFingerprint({ ...inputs, ...change }), machineFingerprint(inputs));
    });
  }

  test("depends on the machine alone, not on which sandbox's it is", () => {
    const shape = { ...inputs.shape, id: "00c0ffee", memoryMB: 4096 };
    assert.equal(machineFingerprint({ ...inputs, shape }), machineFingerprint(inputs));
  });

  test("names the processor only where guests see it", () => {
    const onKvm: Inputs = { ...inputs, shape: { accelerator: "kvm", baseMemoryMB: 1024 } };
    assert.equal(machineFingerprint({ ...inputs, processor: "EPYC" }), machineFingerprint(inputs));
    assert.notEqual(machineFingerprint({ ...onKvm, processor: "EPYC" }), machineFingerprint(onKvm));
  });
});
