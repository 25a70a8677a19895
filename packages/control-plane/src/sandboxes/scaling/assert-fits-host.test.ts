import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertFitsHost } from "./assert-fits-host.ts";

describe("assertFitsHost", () => {
  const host = { cpuCountMax: 2, memoryMBMax: 4096 };
  test("allows up to what the host has", () =>
    assertFitsHost({ cpuCount: 2, memoryMB: 4096 }, host));
  test("refuses more CPUs and more memory, naming the field and the maximum", () => {
    assert.throws(() => assertFitsHost({ cpuCount: 3, memoryMB: 512 }, host), {
      message: "cpuCount: this host has at most 2 for a sandbox, found 3",
    });
    assert.throws(() => assertFitsHost({ cpuCount: 1, memoryMB: 4097 }, host), {
      message: "memoryMB: this host has at most 4096 for a sandbox, found 4097",
    });
  });
});
