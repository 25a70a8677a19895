import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type GoldenInputs, goldenFingerprint } from "./golden-fingerprint.ts";

const inputs: GoldenInputs = {
  imageFingerprint: "image-1",
  certificatePem: "certificate-1",
  machineFingerprint: "machine-1",
};

describe("goldenFingerprint", () => {
  test("is the same for the same inputs", () => {
    assert.equal(goldenFingerprint(inputs), goldenFingerprint({ ...inputs }));
    assert.match(goldenFingerprint(inputs), /^[0-9a-f]{32}$/);
  });

  const changes: Partial<GoldenInputs>[] = [
    { imageFingerprint: "image-2" },
    { certificatePem: "certificate-2" },
    { machineFingerprint: "machine-2" },
    { imageFingerprint: 'image-1","certificate-1', certificatePem: "" },
  ];
  for (const change of changes) {
    test(`differs for another ${JSON.stringify(change)}`, () => {
      assert.notEqual(goldenFingerprint({ ...inputs, ...change }), goldenFingerprint(inputs));
    });
  }
});
