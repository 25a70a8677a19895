import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { environmentNamePattern, isReservedEnvironmentName } from "@opencomputer/protocol/api";
import { formatEnvironment, guestEnvironment, trustVariables } from "./guest-environment.ts";

describe("guestEnvironment", () => {
  test("has every trust variable and only names that a shell can export", () => {
    const environment = guestEnvironment();
    for (const [name, value] of Object.entries(trustVariables())) {
      assert.equal(environment[name], value);
    }
    for (const name of Object.keys(environment)) assert.match(name, environmentNamePattern);
  });

  test("has no trust variable that a secret could replace", () => {
    for (const name of Object.keys(trustVariables()))
      assert.ok(isReservedEnvironmentName(name), name);
  });

  test("has no proxy variable: the network intercepts by itself", () => {
    assert.deepEqual(
      Object.keys(guestEnvironment()).filter((name) => /proxy/i.test(name)),
      [],
    );
  });
});

describe("formatEnvironment", () => {
  test("writes one line for each variable", () => {
    assert.equal(formatEnvironment({ A: "1", B: "x=y z" }), "A=1\nB=x=y z\n");
  });

  test("refuses a value with a line break", () => {
    assert.throws(() => formatEnvironment({ A: "1\nB=2" }), /A of the image's environment/);
  });
});
