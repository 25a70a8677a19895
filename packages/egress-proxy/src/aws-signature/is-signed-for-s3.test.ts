import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isSignedForS3 } from "./is-signed-for-s3.ts";
import { fieldsOf } from "./testing/aws-vectors.ts";

const authorization = (service: string) =>
  `AWS4-HMAC-SHA256 Credential=key/20130524/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;
const presigned = (service: string) =>
  `/?X-Amz-Credential=key%2F20130524%2Fus-east-1%2F${service}%2Faws4_request&X-Amz-Date=0`;

describe("isSignedForS3", () => {
  const requests: [string, string, Record<string, string>, boolean][] = [
    ["a header for S3", "/", { Authorization: authorization("s3") }, true],
    [
      "a header for another service",
      "/s3/aws4_request",
      { Authorization: authorization("sqs") },
      false,
    ],
    ["a presigned URL for S3", presigned("s3"), {}, true],
    ["a presigned URL for another service", presigned("sqs"), {}, false],
    ["no signature", "/s3/aws4_request", { Authorization: "Bearer /s3/aws4_request" }, false],
  ];
  for (const [name, target, fields, expected] of requests) {
    test(`${expected} for ${name}`, () => {
      assert.equal(isSignedForS3({ target, fields: fieldsOf(fields) }), expected);
    });
  }

  const long: [string, string, Record<string, string>][] = [
    ["header", "/", { Authorization: `AWS4-HMAC-SHA256 ${"Credential=".repeat(5900)}` }],
    ["query", `/${"?X-Amz-Credential=".repeat(3600)}`, {}],
  ];
  for (const [place, target, fields] of long) {
    test(`takes time in proportion to a long ${place}`, () => {
      const started = performance.now();
      assert.equal(isSignedForS3({ target, fields: fieldsOf(fields) }), false);
      const milliseconds = performance.now() - started;
      assert.ok(milliseconds < 500, `${milliseconds} ms`);
    });
  }
});
