import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { environmentNamePattern } from "@opencomputer/protocol";
import { formatEnvironment, guestEnvironment, trustVariables } from "./guest-environment.ts";

describe("guestEnvironment", () => {
  test("has every trust variable and only names that a shell can export", () => {
    const environment = guestEnvironment();
    for (const [name, value] of Object.entries(trustVariables())) {
      assert.equal(environment[name], value);
    }
    for (const name of Object.keys(environment)) assert.match(name, environmentNamePattern);
  });

  test("has no proxy variable: the network intercepts by itself", () => {
    assert.deepEqual(
      Object.keys(guestEnvironment()).filter((name) => /proxy/i.test(name)),
      [],
    );
  });
});

describe("formatEnvironment", () => {
  test("writes one line a variable", () => {
    assert.equal(formatEnvironment({ A: "1", B: "x=y z" }), "A=1\nB=x=y z\n");
  });

  test("refuses a value of two lines", () => {
    assert.throws(() => formatEnvironment({ A: "1\nB=2" }), /A of the image's environment/);
  });
});
