import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { preferKernelGenerator } from "./openssl-configuration.ts";

const debians = "HOME = .\nopenssl_conf = openssl_init\n\n[openssl_init]\n\n[ ca ]\n";

describe("preferKernelGenerator", () => {
  test("adds settings for OpenSSL and Node.js, and keeps the existing ones", () => {
    const after = preferKernelGenerator(debians, "/x.so");
    assert.match(after, /^openssl_conf = openssl_init\nnodejs_conf = opencomputer_nodejs$/m);
    for (const section of ["openssl_init", "opencomputer_nodejs"]) {
      assert.ok(after.includes(`\n[${section}]\nproviders = opencomputer_providers\nrandom = `));
    }
    assert.match(after, /^module = \/x\.so$/m);
    assert.match(after, /^\[ ca \]$/m);
  });

  test("refuses a file that has another form, or has them already", () => {
    assert.throws(() => preferKernelGenerator("HOME = .\n", "/x.so"), /0 times, expected once/);
    assert.throws(() => preferKernelGenerator(debians + debians, "/x.so"), /2 times/);
  });
});
