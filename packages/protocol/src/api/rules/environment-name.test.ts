import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { secretNameSchema } from "./environment-name.ts";

describe("secretNameSchema", () => {
  for (const name of ["ANTHROPIC_API_KEY", "_x", "lower_case9", "A".repeat(128), "LDAP_PASSWORD"]) {
    test(`takes ${name.slice(0, 24)}`, () => assert.equal(secretNameSchema.parse(name), name));
  }
  for (const name of ["", "9LIVES", "A-B", "A B", "A=B", "Ä", "A".repeat(129), "A\n"]) {
    test(`refuses ${JSON.stringify(name.slice(0, 24))} by its form`, () => {
      assert.match(
        secretNameSchema.safeParse(name).error?.message ?? "",
        /environment variable name/,
      );
    });
  }
  for (const name of [
    "PATH",
    "HOME",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "https_proxy",
    "GIT_CONFIG_COUNT",
  ]) {
    test(`refuses ${name}: it changes which code runs or what it trusts`, () => {
      assert.match(
        secretNameSchema.safeParse(name).error?.message ?? "",
        new RegExp(`${name} is reserved`),
      );
    });
  }
});
