import assert from "node:assert/strict";
import { test } from "node:test";
import type { EgressEntry } from "@opencomputer/sdk";
import { describeRequest, describeSecrets, formatDuration } from "./describe-entry.ts";

const entry = (fields: Partial<EgressEntry>): EgressEntry => ({
  ...{ id: "a-1", cursor: "1", time: "2026-01-01T00:00:00.000Z", protocol: "https" },
  ...{ host: "api.example.com", port: 443, method: "GET", path: "/v1", decision: "allowed" },
  ...{ reason: null, status: 200, requestBytes: 0, responseBytes: 2, durationMilliseconds: 5 },
  secrets: { substituted: [], withheld: [], redacted: [], leaked: [], foreignTokens: 0 },
  leftOut: 0,
  ...fields,
});

test("describeRequest names method, host, unusual port and path", () => {
  assert.equal(describeRequest(entry({})), "GET https://api.example.com/v1");
  assert.equal(describeRequest(entry({ port: 8443 })), "GET https://api.example.com:8443/v1");
  const stream = { method: null, path: null };
  assert.equal(
    describeRequest(entry({ ...stream, protocol: "tcp", port: 5432 })),
    "tcp://api.example.com:5432",
  );
  assert.equal(describeRequest(entry({ ...stream, protocol: "tls", host: null })), "tls://?");
  assert.equal(
    describeRequest(entry({ ...stream, leftOut: 7 })),
    "7 more exchanges, https://api.example.com",
  );
  assert.equal(describeRequest(entry({ ...stream, leftOut: 7, host: null })), "7 more exchanges");
});

test("describeSecrets states by name where each secret went, and why not", () => {
  assert.deepEqual(describeSecrets(entry({})), []);
  const secrets: EgressEntry["secrets"] = {
    substituted: [
      { name: "A", places: ["header x-api-key", "body"] },
      { name: "B", places: [] },
    ],
    withheld: [
      { name: "C", place: "header x-key", reason: "host" },
      { name: "D", place: "body", reason: null },
    ],
    redacted: [
      { name: "E", count: 1 },
      { name: "F", count: 2 },
    ],
    leaked: ["G"],
    foreignTokens: 3,
  };
  assert.deepEqual(describeSecrets(entry({ secrets })), [
    "A substituted in header x-api-key and body",
    "B substituted",
    "C withheld in header x-key: its secret does not allow this host",
    "D withheld in body",
    "E redacted in the response, once",
    "F redacted in the response, 2 times",
    "G was sent by the sandbox in plaintext: rotate it",
    "tokens of no secret of this sandbox, 3 times",
  ]);
});

test("formatDuration changes to seconds at one", () => {
  assert.deepEqual([0.4, 12, 999, 1_000, 61_250].map(formatDuration), [
    ...["0 ms", "12 ms", "999 ms", "1 s", "61.3 s"],
  ]);
});
