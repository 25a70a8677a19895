import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { assertNoPublicSuffix } from "./assert-no-public-suffix.ts";

describe("assertNoPublicSuffix", () => {
  for (const pattern of ["*.com", "*.co.uk", "*.org", "*.gov.uk", "*.xn--p1ai", "*.com.au"]) {
    test(`refuses ${pattern}`, () => {
      assert.throws(
        () => assertNoPublicSuffix(["api.example.com", pattern]),
        (error) =>
          error instanceof WireError &&
          error.code === "invalid_host_pattern" &&
          error.message.includes(`"${pattern}"`),
      );
    });
  }

  const allowed = [
    "*.openai.com",
    "*.example.co.uk",
    "*.github.io",
    "*.s3.amazonaws.com",
    "*.corp",
    "*.internal",
    "com",
    "api.example.com",
  ];
  for (const pattern of allowed) {
    test(`allows ${pattern}`, () => assertNoPublicSuffix([pattern]));
  }
});
