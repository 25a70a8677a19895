import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createAddressJudge } from "@opencomputer/process";
import type { EgressMode, EgressSession } from "@opencomputer/protocol/wire";
import type { RecordType } from "dns-packet";
import { createSessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { testSession } from "../testing/sessions.ts";
import { planResponse } from "./plan-response.ts";

const scanner = new BlockScanner();
const policyFrom = (session: EgressSession) => createSessionPolicy(session, scanner);

const proxy = "led to the proxy";
const cases: [EgressMode, RecordType, string, string][] = [
  ["allowlisted", "A", "api.example.com", "forward"],
  ["allowlisted", "A", "aPi.Example.COM", "forward"],
  ["allowlisted", "TXT", "api.example.com", "forward"],
  ["allowlisted", "MX", "api.example.com", "forward"],
  ["allowlisted", "SRV", "api.example.com", "forward"],
  ["allowlisted", "UNKNOWN_65" as RecordType, "api.example.com", "forward"],
  ["allowlisted", "UNKNOWN_65" as RecordType, "evil.test", "empty"],
  ["allowlisted", "ANY" as RecordType, "api.example.com", "empty"],
  ["allowlisted", "A", "mapped.test", proxy],
  ["allowlisted", "A", "x.below.test", "forward"],
  ["allowlisted", "A", "below.test", proxy],
  ["allowlisted", "A", "db.test", "forward"],
  ["allowlisted", "A", "x.db.test", proxy],
  ["allowlisted", "A", "c2VjcmV0.api.example.com", proxy],
  ["allowlisted", "A", "evil.test", proxy],
  ["allowlisted", "A", "c2VjcmV0.evil.test", proxy],
  ["allowlisted", "AAAA", "api.example.com", "empty"],
  ["allowlisted", "TXT", "c2VjcmV0.evil.test", "empty"],
  ["allowlisted", "MX", "evil.test", "empty"],
  ["allowlisted", "A", "a..b", "code 3"],
  ["allowlisted", "PTR", "1.1.1.1.in-addr.arpa", "empty"],
  ["intercepted", "UNKNOWN_65" as RecordType, "api.example.com", "empty"],
  ["open", "UNKNOWN_64" as RecordType, "api.example.com", "empty"],
  ["intercepted", "A", "api.example.com", "forward"],
  ["intercepted", "A", "mapped.test", proxy],
  ["intercepted", "A", "MAPPED.test", proxy],
  ["intercepted", "A", "x.mapped.test", "forward"],
  ["intercepted", "AAAA", "mapped.test", "empty"],
  ["intercepted", "TXT", "mapped.test", "empty"],
  ["intercepted", "AAAA", "api.example.com", "empty"],
  ["intercepted", "TXT", "_dmarc.example.com", "forward"],
  ["intercepted", "MX", "example.com", "forward"],
  ["intercepted", "AXFR", "example.com", "empty"],
  ["intercepted", "PTR", "8.8.8.8.in-addr.arpa", "forward"],
  ["intercepted", "PTR", "5.0.0.10.in-addr.arpa", "code 3"],
  ["intercepted", "PTR", "254.169.254.169.IN-ADDR.ARPA", "code 3"],
  ["intercepted", "PTR", "168.192.in-addr.arpa", "code 3"],
  ["intercepted", "PTR", "junk.in-addr.arpa", "code 3"],
  ["intercepted", "PTR", "1.0.0.0.ip6.arpa", "code 3"],
  ["intercepted", "PTR", "5.0-127.0.0.10.in-addr.arpa", "code 3"],
  ["intercepted", "SOA", "0.0.10.in-addr.arpa", "code 3"],
  ["intercepted", "CNAME", "5.0.0.10.in-addr.arpa", "code 3"],
  ["open", "NS", "10.in-addr.arpa", "code 3"],
  ["open", "SOA", "8.8.8.in-addr.arpa", "forward"],
  ["open", "A", "api.example.com", "forward"],
  ["open", "A", "mapped.test", proxy],
  ["open", "CAA", "example.com", "forward"],
];

describe("planResponse", () => {
  for (const [mode, type, name, expected] of cases) {
    test(`${mode}: ${type} ${name} is ${expected}`, () => {
      const egressAllowlist = [
        "api.example.com",
        "mapped.test",
        "*.below.test",
        "tcp://db.test:22",
      ];
      const policy = policyFrom(testSession({ mode, egressAllowlist }));
      const question = { id: 1, recursionDesired: true, name, type, udpPayloadBytes: null };
      const plan = planResponse(question, policy, {
        isOperatorHost: (host) => host === "mapped.test",
        judgeAddress: createAddressJudge([]),
      });
      if (plan.kind === "forward") {
        assert.equal("forward", expected);
        const sent = mode === "allowlisted" ? name.toLowerCase() : name;
        assert.equal(plan.question.name, sent);
        return;
      }
      if (plan.kind === "lead_to_proxy") {
        assert.equal(proxy, expected);
        return;
      }
      const { responseCode } = plan.response;
      assert.equal(responseCode === 0 ? "empty" : `code ${responseCode}`, expected);
    });
  }
});
