import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalForms, canonicalFormsOfTarget } from "./canonical-forms.ts";
import { decodeBytes, encodeBytes } from "./percent-encoding.ts";

test("canonicalFormsOfTarget: the forms write the same, each text once", () => {
  const path = "/a%20b/../(c)/\xff/";
  const query = "b=(&a=%41&empty&X-Amz-Signature=0";
  const forms = canonicalFormsOfTarget();
  assert.deepEqual(
    forms.map(([{ path: writePath, query: writeQuery }]) => [writePath(path), writeQuery(query)]),
    canonicalForms.map((form) => [form.path(path), form.query(query)]),
  );
  for (const [ofTarget, form] of forms) {
    assert.equal(ofTarget.path("another"), form.path(path));
    assert.equal(ofTarget.query("another"), form.query(query));
  }
});

test("encodeBytes writes each byte but the unreserved ones as an escape", () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString("latin1");
  const encoded = encodeBytes(bytes);
  assert.equal(
    encoded.replace(/%([0-9A-F]{2})/g, ""),
    "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~",
  );
  assert.equal(decodeBytes(encoded), bytes);
  assert.equal(encodeBytes(""), "");
});
