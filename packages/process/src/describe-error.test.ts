import assert from "node:assert/strict";
import { test } from "node:test";
import { describeError } from "./describe-error.ts";

test("describeError: has the type, text, code and causes of an error, and no other property", () => {
  const cause = Object.assign(new TypeError("broken"), { code: "ECONNRESET", data: "guest's" });
  const described = describeError(new Error("failed", { cause }));
  assert.deepEqual(
    [described?.type, described?.message, described?.cause?.type, described?.cause?.code],
    ["Error", "failed", "TypeError", "ECONNRESET"],
  );
  assert.match(described?.stack ?? "", /describe-error\.test/);
  assert.ok(!JSON.stringify(described).includes("guest's"));
});

test("describeError: cuts long texts and a chain of causes that has no end", () => {
  const error = new Error("x".repeat(1024 * 1024));
  error.cause = error;
  assert.ok(JSON.stringify(describeError(error)).length < 200_000);
});

test("describeError: has neither the text nor the stack of an error whose text is replaced", () => {
  const replace = ({ name }: Error) => (name === "TypeError" ? "A query failed" : undefined);
  const error = new Error("failed", { cause: new TypeError("value", { cause: new Error("why") }) });
  const { cause, message } = describeError(error, replace) ?? {};
  assert.equal(message, "failed");
  assert.deepEqual([cause?.message, cause?.stack], ["A query failed", undefined]);
  assert.equal(cause?.cause?.message, "why");
});

test("describeError: returns undefined for what is no error", () =>
  assert.equal(describeError("text"), undefined));
