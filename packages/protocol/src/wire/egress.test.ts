import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { egressModeFor } from "./egress.ts";

describe("egressModeFor", () => {
  const cases = [
    [false, [], "open"],
    [true, [], "intercepted"],
    [true, ["a.test"], "allowlisted"],
    [false, ["a.test"], "allowlisted"],
  ] as const;
  for (const [hasSecretStore, egressAllowlist, expected] of cases) {
    test(`${hasSecretStore ? "a" : "no"} store, ${egressAllowlist.length} hosts: ${expected}`, () => {
      assert.equal(egressModeFor({ hasSecretStore, egressAllowlist }), expected);
    });
  }
});
