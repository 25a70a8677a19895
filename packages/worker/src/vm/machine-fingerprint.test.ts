import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { machineFingerprint } from "./machine-fingerprint.ts";
import { addFirstShape, machineShapeSchema, newMachineShape } from "./machine-shape.ts";

type Inputs = Parameters<typeof machineFingerprint>[0];
const inputs: Inputs = {
  shape: newMachineShape("tcg", 1024),
  hypervisorVersion: "7.2.22",
  processor: { name: "Xeon", vendor: "GenuineIntel" },
};

describe("machineFingerprint", () => {
  test("is the same for the same inputs", () => {
    assert.equal(machineFingerprint(inputs), machineFingerprint(structuredClone(inputs)));
    assert.match(machineFingerprint(inputs), /^[0-9a-f]{32}$/);
  });

  const changes: Partial<Inputs>[] = [
    { shape: newMachineShape("kvm", 1024) },
    { shape: newMachineShape("tcg", 2048) },
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

  test("of what was saved before records had a shape is the one that it was saved with", () => {
    const record = { accelerator: "tcg", baseMemoryMB: 1024 };
    const shape = machineShapeSchema.parse(addFirstShape(record));
    const hypervisorVersion = "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)";
    const fingerprint = machineFingerprint({
      shape,
      hypervisorVersion,
      processor: { name: "", vendor: "" },
    });
    assert.equal(fingerprint, "7c0bfa63e46661b31f7b4af20047a4b4");
    assert.notEqual(machineFingerprint(inputs), machineFingerprint({ ...inputs, shape }));
  });

  const onKvm: Inputs = { ...inputs, shape: newMachineShape("kvm", 1024) };
  const processors: [string, Inputs, Inputs["processor"], boolean][] = [
    ["emulated, another processor", inputs, { name: "EPYC", vendor: "AuthenticAMD" }, true],
    [
      "with KVM, another processor of the vendor",
      onKvm,
      { name: "i9", vendor: "GenuineIntel" },
      true,
    ],
    ["with KVM, another vendor", onKvm, { name: "EPYC", vendor: "AuthenticAMD" }, false],
    [
      "with KVM and the host's model, another processor of the vendor",
      { ...onKvm, shape: { ...onKvm.shape, processorModel: "host" } },
      { name: "i9", vendor: "GenuineIntel" },
      false,
    ],
  ];
  for (const [what, from, processor, isSame] of processors) {
    test(`${what}: ${isSame ? "the same" : "another one"}`, () => {
      assert.equal(machineFingerprint({ ...from, processor }) === machineFingerprint(from), isSame);
    });
  }

  test("differs for another processor model", () => {
    const shape = newMachineShape("kvm", 1024, new Set(["avx2"]));
    const other = { ...shape, processorModel: `${shape.processorModel},+avx2` };
    assert.notEqual(
      machineFingerprint({ ...onKvm, shape: other }),
      machineFingerprint({ ...onKvm, shape }),
    );
  });
});
