import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EgressMode, EgressSession } from "@opencomputer/protocol";
import type { RecordType } from "dns-packet";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { createSessionPolicy } from "../sessions/session-policy.ts";
import { testSession } from "../testing/sessions.ts";
import { createAddressJudge } from "../upstream/public-address.ts";
import { planAnswer } from "./answer-question.ts";

const scanner = new BlockScanner();
const policyFrom = (session: EgressSession) => createSessionPolicy(session, scanner);

const gateway = "gateway";
const cases: [EgressMode, RecordType, string, string][] = [
  ["allowlisted", "A", "api.example.com", gateway],
  ["allowlisted", "A", "evil.test", gateway],
  ["allowlisted", "A", "c2VjcmV0.evil.test", gateway],
  ["allowlisted", "AAAA", "api.example.com", "empty"],
  ["allowlisted", "TXT", "c2VjcmV0.evil.test", "empty"],
  ["allowlisted", "MX", "evil.test", "empty"],
  ["allowlisted", "A", "a..b", "code 3"],
  ["allowlisted", "PTR", "1.1.1.1.in-addr.arpa", "empty"],
  ["intercepted", "A", "api.example.com", "forward"],
  ["intercepted", "A", "mapped.test", gateway],
  ["intercepted", "A", "MAPPED.test", gateway],
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
  ["open", "A", "api.example.com", "forward"],
  ["open", "A", "mapped.test", gateway],
  ["open", "CAA", "example.com", "forward"],
];

describe("planAnswer", () => {
  for (const [mode, type, name, expected] of cases) {
    test(`${mode}: ${type} ${name} is ${expected}`, () => {
      const policy = policyFrom(testSession({ mode }));
      const question = { id: 1, recursionDesired: true, name, type, udpPayloadBytes: null };
      const plan = planAnswer(question, policy, {
        isOperatorHost: (host) => host === "mapped.test",
        judgeAddress: createAddressJudge([]),
      });
      if (plan.kind === "forward") {
        assert.equal("forward", expected);
        return;
      }
      const [answer] = plan.reply.answers;
      if (answer !== undefined) {
        assert.equal(gateway, expected);
        assert.deepEqual(answer, { type: "A", class: "IN", name, ttl: 60, data: "169.254.0.1" });
        return;
      }
      const { responseCode } = plan.reply;
      assert.equal(responseCode === 0 ? "empty" : `code ${responseCode}`, expected);
    });
  }

  test("an HTTPS record (type 65) is empty in every mode", () => {
    for (const mode of ["open", "intercepted", "allowlisted"] as const) {
      const type = "UNKNOWN_65" as RecordType;
      const plan = planAnswer(
        { id: 1, recursionDesired: true, name: "a.test", type, udpPayloadBytes: null },
        policyFrom(testSession({ mode })),
        { isOperatorHost: () => false, judgeAddress: createAddressJudge([]) },
      );
      assert.ok(plan.kind === "reply" && plan.reply.answers.length === 0);
    }
  });
});
