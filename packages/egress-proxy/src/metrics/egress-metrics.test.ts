import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuditLine } from "@opencomputer/protocol/wire";
import { Registry } from "prom-client";
import { createEgressMetrics } from "./egress-metrics.ts";

const line: AuditLine = {
  time: "2026-01-02T03:04:05.678Z",
  kind: "https",
  sandboxId: "sb-canaryaaaaaaaaaaaaaa",
  sourceAddress: "198.18.4.6",
  host: "canary.example.com",
  method: "GET",
  path: "/canary",
  decision: "allowed",
  reason: null,
  status: 200,
  substituted: ["CANARY"],
  withheld: [{ name: "CANARY", place: "query" }],
  redacted: ["CANARY", "CANARY_2"],
  leaked: [],
  requestBytes: 10,
  responseBytes: 20,
  durationMilliseconds: 40,
};

test("createEgressMetrics counts lines and refusals, without anything that a guest chose", async () => {
  const registry = new Registry();
  const metrics = createEgressMetrics(registry, {
    connections: () => 7,
    dnsConnections: () => 1,
    sessions: () => 3,
    isAuditTrailWritable: () => false,
    egressLog: () => ({ size: 4, counts: { kept: 9, leftOut: 70 } }),
  });
  metrics.countLine(line);
  metrics.countLine({ ...line, decision: "refused", substituted: [], withheld: [], redacted: [] });
  metrics.countSecrets({ substituted: [], withheld: [], redacted: [], leaked: ["CANARY"] });
  metrics.countRefusal({ kind: "dns" });
  metrics.countFailure("name_not_resolved");
  const text = await registry.metrics();
  for (const sample of [
    'opencomputer_egress_requests_total{kind="https",decision="allowed"} 1',
    'opencomputer_egress_requests_total{kind="https",decision="refused"} 1',
    'opencomputer_egress_requests_total{kind="dns",decision="refused"} 1',
    'opencomputer_egress_failures_total{code="name_not_resolved"} 1',
    'opencomputer_egress_secrets_total{result="substituted"} 1',
    'opencomputer_egress_secrets_total{result="withheld"} 1',
    'opencomputer_egress_secrets_total{result="redacted"} 2',
    'opencomputer_egress_secrets_total{result="leaked"} 1',
    'opencomputer_egress_bytes_total{direction="received"} 40',
    "opencomputer_egress_request_duration_seconds_count 1",
    "opencomputer_egress_connections 7",
    "opencomputer_egress_dns_connections 1",
    "opencomputer_egress_sessions 3",
    "opencomputer_egress_audit_trail_writable 0",
    "opencomputer_egress_log_waiting 4",
    'opencomputer_egress_log_lines_total{result="kept"} 9',
    'opencomputer_egress_log_lines_total{result="left_out"} 70',
  ]) {
    assert.ok(text.split("\n").includes(sample), `${sample}\n${text}`);
  }
  assert.doesNotMatch(text, /canary/i);
});
