import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { machineShapeSchema } from "./machine-shape.ts";
import { processorModel } from "./processor-model.ts";

const level2 = ["aes", "pclmulqdq", "popcnt", "ssse3", "sse4_1", "sse4_2"];
const level3 = [
  ...["abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave", "xsaveopt"],
  ...["rdrand", "rdtscp", "fsgsbase"],
];
const level4 = ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "adx", "rdseed", "smap"];
const onKvm = (...flags: string[]) => processorModel("kvm", new Set(flags)).split(",");

describe("processorModel", () => {
  test("emulated, it is the same on every host", () => {
    const model = processorModel("tcg", new Set());
    assert.equal(processorModel("tcg", new Set([...level2, ...level3, ...level4])), model);
    assert.equal(
      model,
      "qemu64-v1,+aes,+pclmulqdq,+popcnt,+ssse3,+sse4.1,+sse4.2,+abm,+avx,+avx2,+bmi1,+bmi2,+f16c,+fma,+movbe,+xsave,+xsaveopt,+rdrand,+rdtscp,+fsgsbase,enforce",
    );
  });

  test("with KVM it has the highest level that the host supports completely", () => {
    assert.ok(!onKvm(...level2).includes("+avx2"));
    assert.ok(onKvm(...level2, ...level3).includes("+avx2"));
    assert.ok(!onKvm(...level2, ...level3).includes("+avx512f"));
    assert.ok(onKvm(...level2, ...level3, ...level4).includes("+avx512f"));
    const withoutOne = [...level2, ...level3, ...level4].filter((flag) => flag !== "bmi2");
    assert.deepEqual(onKvm(...withoutOne), onKvm(...level2));
  });

  test("with KVM it has the lowest level at least, which the host must support", () => {
    assert.deepEqual(onKvm(), onKvm(...level2));
    assert.ok(onKvm().includes("+sse4.2"));
  });

  test("it has a version, refuses what the host lacks, and fits into a record", () => {
    for (const model of [processorModel("tcg", new Set()), processorModel("kvm", new Set())]) {
      assert.match(model, /^[a-z0-9]+-v\d+,.*,enforce$/);
      assert.equal(machineShapeSchema.shape.processorModel.parse(model), model);
    }
  });
});
