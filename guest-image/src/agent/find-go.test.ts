import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isRecent } from "./find-go.ts";

describe("isRecent", () => {
  for (const version of ["go1.19", "go1.19.8", "go1.20rc1", "go1.26.8", "go2.0"]) {
    test(`accepts ${version}`, () => assert.ok(isRecent(`go version ${version} linux/amd64`)));
  }
  for (const version of ["go1.18.10", "go1.9", "devel", ""]) {
    test(`refuses ${version === "" ? "silence" : version}`, () =>
      assert.ok(!isRecent(`go version ${version} linux/amd64`)));
  }
});
