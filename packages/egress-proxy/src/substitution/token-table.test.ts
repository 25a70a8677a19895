import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import { tokenTableFor } from "./token-table.ts";

describe("tokenTableFor", () => {
  const policy = policyOf([
    secretOf("ANYWHERE", "a", "value-a"),
    secretOf("LIMITED", "b", "value-b", ["api.example.com"]),
    secretOf("MULTILINE", "c", "line\nline"),
  ]);

  test("lets a secret be used at its hosts over https, and there only", () => {
    const usableAt = (scheme: "http" | "https", host: string) =>
      [...tokenTableFor(policy, scheme, host).entries.values()]
        .filter((entry) => entry.usable)
        .map((entry) => entry.name)
        .sort();
    assert.deepEqual(usableAt("https", "api.example.com"), ["ANYWHERE", "LIMITED", "MULTILINE"]);
    assert.deepEqual(usableAt("https", "other.example.com"), ["ANYWHERE", "MULTILINE"]);
    assert.deepEqual(usableAt("http", "api.example.com"), []);
    assert.equal(tokenTableFor(policy, "https", "other.example.com").hasUsable, true);
    assert.equal(tokenTableFor(policy, "http", "api.example.com").hasUsable, false);
  });

  test("knows every token of the session, usable or not", () => {
    assert.equal(tokenTableFor(policy, "http", "x.example").entries.size, 3);
  });

  test("has no header text for a value that no header may hold, nor for one that is withheld", () => {
    const entries = tokenTableFor(policy, "https", "api.example.com").entries;
    assert.equal(entries.get(tokenOf("a"))?.headerText, "value-a");
    assert.equal(entries.get(tokenOf("c"))?.headerText, undefined);
    const elsewhere = tokenTableFor(policy, "https", "other.example.com").entries;
    assert.equal(elsewhere.get(tokenOf("b"))?.headerText, undefined);
  });

  test("is made once for a policy and a destination, and anew for another policy", () => {
    const table = tokenTableFor(policy, "https", "same.example");
    assert.equal(tokenTableFor(policy, "https", "same.example"), table);
    assert.notEqual(tokenTableFor({ ...policy }, "https", "same.example"), table);
  });
});
