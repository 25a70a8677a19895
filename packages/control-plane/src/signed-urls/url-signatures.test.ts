import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createKeyRing } from "../vault/key-ring.ts";
import { createUrlSignatures, type SignedFile } from "./url-signatures.ts";

const keyOne: [string, Buffer] = ["v1", Buffer.alloc(32, 1)];
const keyTwo: [string, Buffer] = ["v2", Buffer.alloc(32, 2)];

describe("UrlSignatures.verify", () => {
  const signatures = createUrlSignatures(createKeyRing([keyOne]));
  const file: SignedFile = {
    method: "GET",
    orgId: "0a1b2c3d-1111-4111-8111-00000000000f",
    sandboxId: "sb-aaaaaaaaaaaaaaaaaaaa",
    path: "/workspace/a b.txt",
    expires: 1_800_000_000,
  };
  const signature = signatures.sign(file);

  test("takes what was signed, in another process too", () => {
    assert.match(signature, /^[0-9a-f]{64}$/);
    assert.ok(signatures.verify(file, signature));
    assert.ok(createUrlSignatures(createKeyRing([keyOne])).verify(file, signature));
  });

  const changes: Partial<SignedFile>[] = [
    { method: "PUT" },
    { orgId: "0a1b2c3d-1111-4111-8111-00000000000e" },
    { sandboxId: "sb-aaaaaaaaaaaaaaaaaaab" },
    { path: "/workspace/a b.tx" },
    { path: "/workspace/../workspace/a b.txt" },
    { expires: file.expires + 1 },
    { expires: file.expires - 1 },
  ];
  for (const change of changes) {
    test(`refuses ${JSON.stringify(change)} instead of what was signed`, () =>
      assert.ok(!signatures.verify({ ...file, ...change }, signature)));
  }

  test("refuses texts of two fields that only join to the same", () => {
    const shifted = { ...file, sandboxId: `${file.sandboxId}","/workspace`, path: "a b.txt" };
    assert.ok(!signatures.verify(shifted, signature));
  });

  test("refuses every single altered character", () => {
    for (let index = 0; index < signature.length; index += 1) {
      const character = signature.charAt(index) === "0" ? "1" : "0";
      const altered = signature.slice(0, index) + character + signature.slice(index + 1);
      assert.ok(!signatures.verify(file, altered), `altered at ${index}`);
    }
  });

  test("refuses texts that are no signature", () => {
    for (const text of ["", `${signature}0`, signature.slice(2), signature.toUpperCase(), "zz"]) {
      assert.ok(!signatures.verify(file, text));
    }
  });

  test("takes the signature of an older key of the ring, not one of a foreign key", () => {
    const rotated = createUrlSignatures(createKeyRing([keyOne, keyTwo]));
    assert.ok(rotated.verify(file, signature));
    assert.notEqual(rotated.sign(file), signature);
    assert.ok(!signatures.verify(file, rotated.sign(file)));
  });
});
