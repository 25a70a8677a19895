import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describeError, errorCode } from "./describe-error.ts";

describe("describeError", () => {
  test("has the class, the code and the place, and never the message", () => {
    const error = Object.assign(
      new TypeError("canary-value\nsecond line of canary-value\n    at canary-value (file)"),
      {
        code: "ECANARY",
      },
    );
    const description = describeError(error);
    assert.equal(description.name, "TypeError");
    assert.equal(description.code, "ECANARY");
    assert.match(description.frames[0] ?? "", /^at .*describe-error\.test\.ts/);
    assert.ok(!JSON.stringify(description).includes("canary-value"));
  });

  test("accepts what is not an Error", () => {
    assert.deepEqual(describeError("canary-value"), { name: "string", code: null, frames: [] });
  });
});

test("errorCode is null for an error without one", () => {
  for (const value of [null, undefined, 1, {}, { code: 1 }]) assert.equal(errorCode(value), null);
});
