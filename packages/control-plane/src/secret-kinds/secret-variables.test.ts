import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sealedToken } from "@opencomputer/protocol/wire";
import { assertVariableNames, secretVariables, tokensOf } from "./secret-variables.ts";

const token = `osb_sealed_${"a".repeat(32)}`;

describe("secretVariables", () => {
  test("a value has its own name and token", () => {
    const secret = { name: "KEY", kind: "value", token } as const;
    assert.deepEqual(secretVariables(secret), { KEY: token });
    assert.deepEqual(tokensOf(secret), [token]);
  });

  test("aws has three names, with tokens that follow from its own", () => {
    const secret = { name: "AWS", kind: "aws", token } as const;
    const variables = secretVariables(secret);
    assert.deepEqual(Object.keys(variables), [
      "AWS_ACCESS_KEY_ID",
      "AWS_SECRET_ACCESS_KEY",
      "AWS_SESSION_TOKEN",
    ]);
    const tokens = Object.values(variables);
    assert.deepEqual(tokens, tokensOf(secret));
    assert.equal(new Set([token, ...tokens]).size, 4);
    for (const one of tokens) assert.match(one, sealedToken.pattern);
    assert.deepEqual(secretVariables(secret), variables);
    const other = secretVariables({ ...secret, token: `osb_sealed_${"b".repeat(32)}` });
    assert.ok(tokens.every((one) => !Object.values(other).includes(one)));
  });

  test("a name that gives no valid variables is refused", () => {
    assertVariableNames({ name: "AWS", kind: "aws" });
    assertVariableNames({ name: "n".repeat(128), kind: "value" });
    for (const name of ["n".repeat(111), "LD"]) {
      assert.throws(() => assertVariableNames({ name, kind: "aws" }), {
        code: "invalid_secret_name",
      });
    }
  });
});
