import assert from "node:assert/strict";
import { test } from "node:test";
import { hasRequestBody } from "./request-body.ts";

test("hasRequestBody: a length above zero, or one that is not known", () => {
  assert.equal(hasRequestBody({}), false);
  assert.equal(hasRequestBody({ "content-length": "0" }), false);
  assert.equal(hasRequestBody({ "content-length": "1" }), true);
  assert.equal(hasRequestBody({ "transfer-encoding": "chunked" }), true);
});
