import assert from "node:assert/strict";
import { test } from "node:test";
import type { Refusal } from "../audit/audit-refusal.ts";
import { createSessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { GivenNames } from "../resolver/given-names.ts";
import { testSandboxId, testSession } from "../testing/sessions.ts";
import { auditRejection } from "./audit-rejection.ts";

test("auditRejection names what would allow the connection", () => {
  const policy = createSessionPolicy(testSession(), new BlockScanner());
  const givenNames = new GivenNames();
  const refusals: Refusal[] = [];
  const reject = (sourceAddress: string, port: number) =>
    auditRejection(
      {
        findPolicy: (address) => (address === policy.sourceAddress ? policy : undefined),
        givenNames,
        auditRefusal: (refusal) => void refusals.push(refusal),
      },
      { sourceAddress, port },
    );
  reject(policy.sourceAddress, 5432);
  givenNames.record(testSandboxId, "db.test", ["169.254.0.1"]);
  reject(policy.sourceAddress, 5432);
  reject("198.18.4.99", 5432);
  assert.equal(refusals.length, 2);
  assert.equal(refusals[0]?.host, null);
  assert.match(refusals[0]?.reason ?? "", /tcp:\/\/HOST:5432/);
  assert.equal(refusals[1]?.host, "db.test");
  assert.match(refusals[1]?.reason ?? "", /tcp:\/\/db\.test:5432 in the egress allowlist/);
});
