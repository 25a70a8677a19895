import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { der, derTags, derTime } from "./der.ts";

describe("der", () => {
  for (const [bytes, head] of [
    [0, "0400"],
    [127, "047f"],
    [128, "048180"],
    [255, "0481ff"],
    [256, "04820100"],
    [70_000, "0483011170"],
  ] as const) {
    test(`states a length of ${bytes} in the shortest form`, () => {
      const encoded = der(derTags.octetString, Buffer.alloc(bytes));
      assert.equal(encoded.subarray(0, encoded.length - bytes).toString("hex"), head);
    });
  }

  test("puts its contents one after the other", () => {
    const encoded = der(derTags.sequence, der(derTags.integer, Buffer.from([5])), Buffer.from([1]));
    assert.equal(encoded.toString("hex"), "3004020105" + "01");
  });
});

test("derTime has two digits for the year until 2049, and four from 2050", () => {
  const text = (iso: string) => derTime(new Date(iso)).toString("latin1");
  assert.equal(text("2049-12-31T23:59:59.999Z"), "\x17\x0d491231235959Z");
  assert.equal(text("2050-01-01T00:00:00Z"), "\x18\x0f20500101000000Z");
});
