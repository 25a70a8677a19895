// @ts-check
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chooseOldestAndNewest } from "./python.mjs";

/** @param {string[]} versions */
const chosen = (...versions) =>
  chooseOldestAndNewest(
    versions.map((version) => ({ program: version, version: version.split(".").map(Number) })),
  ).map(({ program }) => program);

describe("chooseOldestAndNewest", () => {
  test("leaves out what is older than the SDK supports", () => {
    assert.deepEqual(chosen("3.13.0", "3.9.18", "3.10.13", "3.12.1"), ["3.10.13", "3.13.0"]);
  });

  test("compares numbers, not texts", () => {
    assert.deepEqual(chosen("3.11.10", "3.11.9"), ["3.11.9", "3.11.10"]);
  });

  test("takes one Python once", () => {
    assert.deepEqual(chosen("3.11.2"), ["3.11.2"]);
    assert.deepEqual(chosen("3.11.2", "3.11.2"), ["3.11.2"]);
  });

  test("names what to install when there is none", () => {
    assert.throws(() => chosen("3.9.18"), /Python 3\.10 or newer.*python3-venv/);
  });
});
