import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { apiPath, requestUrl } from "./api-request.ts";

describe("apiPath", () => {
  test("keeps each parameter within its segment", () => {
    assert.equal(apiPath`/a/${"x"}/b/${"y"}`, "/a/x/b/y");
    assert.equal(apiPath`/a/${"x/../y?z#w %"}`, "/a/x%2F..%2Fy%3Fz%23w%20%25");
  });

  test("refuses what would leave the segment or name its parent", () => {
    for (const parameter of ["", ".", ".."]) {
      assert.throws(() => apiPath`/a/${parameter}/b`, { code: "invalid_request" });
    }
  });
});

describe("requestUrl", () => {
  test("encodes the query and leaves absent entries out", () => {
    const request = { method: "GET", path: "/files" } as const;
    assert.equal(requestUrl("http://h/api", request), "http://h/api/files");
    assert.equal(
      requestUrl("http://h/api", { ...request, query: { path: "/a b&c=ü", status: undefined } }),
      "http://h/api/files?path=%2Fa+b%26c%3D%C3%BC",
    );
  });
});
