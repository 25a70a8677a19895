import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sandboxIdPattern } from "@opencomputer/protocol/api";
import { sealedToken } from "@opencomputer/protocol/wire";
import { createKeyRing } from "../../vault/key-ring.ts";
import { createSandboxTokens, mintSandboxId, mintSealedToken } from "./sandbox-identity.ts";

const orgId = "0a1b2c3d-1111-4111-8111-00000000000f";
const keyOne: [string, Buffer] = ["v1", Buffer.alloc(32, 1)];
const keyTwo: [string, Buffer] = ["v2", Buffer.alloc(32, 2)];

describe("minting", () => {
  test("ids and tokens have their form and do not repeat", () => {
    const ids = Array.from({ length: 500 }, mintSandboxId);
    const tokens = Array.from({ length: 500 }, mintSealedToken);
    for (const id of ids) assert.match(id, sandboxIdPattern);
    for (const token of tokens) assert.match(token, sealedToken.pattern);
    assert.equal(new Set([...ids, ...tokens]).size, 1000);
  });
});

describe("SandboxTokens.verify", () => {
  const tokens = createSandboxTokens(createKeyRing([keyOne]));
  const sandboxId = mintSandboxId();
  const token = tokens.tokenFor({ orgId, sandboxId });

  test("gives the org for its own sandbox", () =>
    assert.equal(tokens.verify(token, sandboxId), orgId));

  test("is the same at every call, so that it survives a restart", () =>
    assert.equal(tokens.tokenFor({ orgId, sandboxId }), token));

  test("refuses another sandbox, whose org is the same", () =>
    assert.equal(tokens.verify(token, mintSandboxId()), undefined));

  test("refuses a token whose org was exchanged", () => {
    const other = "f".repeat(32);
    assert.equal(
      tokens.verify(token.replace(orgId.replaceAll("-", ""), other), sandboxId),
      undefined,
    );
  });

  test("refuses every single altered character", () => {
    for (let index = 0; index < token.length; index += 1) {
      const character = token.charAt(index) === "0" ? "1" : "0";
      const altered = token.slice(0, index) + character + token.slice(index + 1);
      assert.equal(tokens.verify(altered, sandboxId), undefined, `altered at ${index}`);
    }
  });

  test("refuses texts that are no token", () => {
    for (const text of ["", "osb_sandbox_", `${token}0`, token.slice(0, -1), token.toUpperCase()]) {
      assert.equal(tokens.verify(text, sandboxId), undefined);
    }
  });

  test("refuses a token of another installation's key", () => {
    const others = createSandboxTokens(createKeyRing([["v1", Buffer.alloc(32, 9)]]));
    assert.equal(others.verify(token, sandboxId), undefined);
  });

  test("still takes a token of an older key of the ring", () => {
    const rotated = createSandboxTokens(createKeyRing([keyOne, keyTwo]));
    assert.equal(rotated.verify(token, sandboxId), orgId);
    assert.notEqual(rotated.tokenFor({ orgId, sandboxId }), token);
  });
});
