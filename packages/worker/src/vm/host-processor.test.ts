import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseProcessor } from "./host-processor.ts";

const text = `processor	: 0
vendor_id	: GenuineIntel
model name	: Intel(R) Xeon(R) CPU @ 2.20GHz
flags		: fpu sse4_1 avx2
bugs		: spectre_v1
processor	: 1
vendor_id	: GenuineIntel
model name	: Intel(R) Xeon(R) CPU @ 2.20GHz
flags		: fpu
`;

describe("parseProcessor", () => {
  test("the name, vendor and flags of the first processor", () => {
    const { name, vendor, flags } = parseProcessor(text);
    assert.deepEqual([name, vendor], ["Intel(R) Xeon(R) CPU @ 2.20GHz", "GenuineIntel"]);
    assert.deepEqual([...flags], ["fpu", "sse4_1", "avx2"]);
  });

  test("nothing of a text without them", () => {
    assert.deepEqual(parseProcessor(""), { name: "", vendor: "", flags: new Set() });
  });
});
