import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { mayCarryCredential, mayNameCredential } from "./credential-fields.ts";

describe("mayCarryCredential", () => {
  const credentials = [
    "authorization",
    "cookie",
    "proxy-token",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-auth-token",
    "x-amz-security-token",
    "x-amz-server-side-encryption-customer-key",
    "x-ms-copy-source-authorization",
    "private-token",
    "cf-access-client-secret",
    "dd-api-key",
    "sec-websocket-protocol",
    "x-meta",
  ];
  for (const name of credentials) {
    test(`${name} may`, () => assert.equal(mayCarryCredential(name), true));
  }

  const plain = [
    "accept",
    "accept-language",
    "baggage",
    "cache-control",
    "content-disposition",
    "content-type",
    "date",
    "destination",
    "expect",
    "forwarded",
    "from",
    "host",
    "idempotency-key",
    "if",
    "if-none-match",
    "if-range",
    "origin",
    "pragma",
    "priority",
    "range",
    "referer",
    "sec-ch-ua",
    "sec-fetch-site",
    "sec-websocket-key",
    "slug",
    "traceparent",
    "tracestate",
    "user-agent",
    "via",
    "warning",
    "x-amz-meta-note",
    "x-amz-user-agent",
    "x-client-request-id",
    "x-correlation-id",
    "x-forwarded-for",
    "x-github-api-version",
    "x-goog-meta-note",
    "x-goog-user-project",
    "x-ms-meta-note",
    "x-object-meta-note",
    "x-real-ip",
    "x-request-id",
    "x-title",
  ];
  for (const name of plain) {
    test(`${name} may not`, () => assert.equal(mayCarryCredential(name), false));
  }
});

test("mayNameCredential leaves out what frames or routes the message, and nothing else", () => {
  const names = ["user-agent", "x-title", "host", "content-length", "transfer-encoding", "te"];
  assert.deepEqual(names.filter(mayNameCredential), ["user-agent", "x-title"]);
});
