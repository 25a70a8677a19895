import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseMoment } from "./parse-moment.ts";

describe("parseMoment", () => {
  const now = () => Date.parse("2026-01-31T12:00:00Z");
  const parse = (text: string) => parseMoment(text, now).toISOString();

  test("takes a time, a date, and how long ago it is", () => {
    assert.equal(parse("2026-01-30T10:11:12Z"), "2026-01-30T10:11:12.000Z");
    assert.equal(parse("2026-01-30T10:11:12+01:00"), "2026-01-30T09:11:12.000Z");
    assert.equal(parse("2026-01-30"), "2026-01-30T00:00:00.000Z");
    assert.equal(parse("90m"), "2026-01-31T10:30:00.000Z");
    assert.equal(parse("24h"), "2026-01-30T12:00:00.000Z");
    assert.equal(parse("7d"), "2026-01-24T12:00:00.000Z");
  });

  for (const text of ["", "7", "d", "7w", "-1h", "1h30m", "yesterday", "2026-13-01", "999999d"]) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parse(text), /Expected a time/);
    });
  }
});
