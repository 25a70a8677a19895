import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { otherSandboxId, testSandboxId, testSecret, testSession } from "../testing/sessions.ts";
import { createSessions } from "./sessions.ts";

function scenario() {
  const released: string[] = [];
  const ended: string[] = [];
  const taken: unknown[] = [];
  const sessions = createSessions({
    scanner: new BlockScanner(),
    onAddressReleased: (sourceAddress) => released.push(sourceAddress),
    onPolicyEnded: ({ version, sandboxId }) => ended.push(`${sandboxId} ${version}`),
    onAddressTaken: (change) => taken.push(change),
  });
  return { sessions, released, ended, taken };
}

describe("Sessions", () => {
  test("finds a policy by its source address and by no other", () => {
    const { sessions } = scenario();
    sessions.put(testSession({ sourceAddress: "198.18.4.6" }));
    assert.equal(sessions.findPolicy("198.18.4.6")?.sandboxId, testSandboxId);
    assert.equal(sessions.findPolicy("198.18.4.10"), undefined);
    assert.equal(sessions.count, 1);
  });

  test("a second put of a sandbox replaces the policy and keeps its connections", () => {
    const { sessions, released } = scenario();
    sessions.put(testSession());
    sessions.put(testSession({ egressAllowlist: ["other.example.com"] }));
    assert.deepEqual(sessions.get(testSandboxId)?.egressAllowlist, ["other.example.com"]);
    assert.equal(sessions.findPolicy("198.18.4.6"), sessions.get(testSandboxId));
    assert.deepEqual(released, []);
    assert.equal(sessions.count, 1);
  });

  test("a revocation ends the connections that may still send the value, once", () => {
    const { sessions, released } = scenario();
    const [kept, revoked] = [testSecret("a"), testSecret("b")];
    const { name, token } = revoked;
    sessions.put(testSession({ secrets: [kept, revoked] }));
    const after = {
      secrets: [kept],
      formerSecrets: [revoked],
      revokedSecrets: [{ name, token }],
    };
    sessions.put(testSession(after));
    assert.deepEqual(released, ["198.18.4.6"]);
    assert.deepEqual(
      sessions.get(testSandboxId)?.secrets.map((secret) => secret.name),
      [kept.name],
    );
    sessions.put(testSession(after));
    sessions.put(testSession({ secrets: [kept, revoked] }));
    assert.deepEqual(released, ["198.18.4.6"], "nothing is revoked by these");
  });

  test("so does one that arrives only with the new value of the secret, once", () => {
    const { sessions, released } = scenario();
    const [kept, revoked] = [testSecret("a"), testSecret("b")];
    const set = { ...revoked, value: "value-that-was-set-since" };
    sessions.put(testSession({ secrets: [kept, revoked] }));
    sessions.put(testSession({ secrets: [kept, revoked], enforcesRevocation: true }));
    assert.deepEqual(released, [], "no value was revoked");
    const after = { secrets: [kept, set], formerSecrets: [revoked], enforcesRevocation: true };
    sessions.put(testSession(after));
    assert.deepEqual(released, ["198.18.4.6"]);
    sessions.put(testSession(after));
    assert.deepEqual(released, ["198.18.4.6"]);
  });

  test("a rotation alone ends no connection", () => {
    const { sessions, released } = scenario();
    const rotated = testSecret("b");
    sessions.put(testSession({ secrets: [rotated] }));
    sessions.put(testSession({ secrets: [{ ...rotated, value: "the next value" }] }));
    assert.deepEqual(released, []);
  });

  test("each policy that is no longer in effect is reported, once", () => {
    const { sessions, ended } = scenario();
    sessions.put(testSession({ version: 1 }));
    sessions.put(testSession({ version: 2 }));
    assert.deepEqual(ended, [`${testSandboxId} 1`], "replaced");
    sessions.put(testSession({ version: 3, sourceAddress: "198.18.4.10" }));
    assert.deepEqual(ended.splice(0), [`${testSandboxId} 1`, `${testSandboxId} 2`], "moved");
    sessions.put(testSession({ sandboxId: otherSandboxId, sourceAddress: "198.18.4.10" }));
    assert.deepEqual(ended.splice(0), [`${testSandboxId} 3`], "taken over");
    sessions.remove(otherSandboxId);
    assert.deepEqual(ended, [`${otherSandboxId} 1`], "removed");
  });

  test("a sandbox that moves leaves its former address without a policy", () => {
    const { sessions, released } = scenario();
    sessions.put(testSession({ sourceAddress: "198.18.4.6" }));
    sessions.put(testSession({ sourceAddress: "198.18.4.10" }));
    assert.equal(sessions.findPolicy("198.18.4.6"), undefined);
    assert.equal(sessions.findPolicy("198.18.4.10")?.sandboxId, testSandboxId);
    assert.deepEqual(released, ["198.18.4.6"]);
  });

  test("the newest owner of an address wins, the older session ends and is reported", () => {
    const { sessions, released, taken } = scenario();
    sessions.put(testSession());
    sessions.put(testSession({ sandboxId: otherSandboxId }));
    assert.equal(sessions.findPolicy("198.18.4.6")?.sandboxId, otherSandboxId);
    assert.equal(sessions.get(testSandboxId), undefined);
    assert.equal(sessions.count, 1);
    assert.deepEqual(released, ["198.18.4.6"]);
    assert.deepEqual(taken, [
      { sourceAddress: "198.18.4.6", formerSandboxId: testSandboxId, sandboxId: otherSandboxId },
    ]);
  });

  test("remove ends a session once", () => {
    const { sessions, released } = scenario();
    sessions.put(testSession());
    assert.equal(sessions.remove(testSandboxId), true);
    assert.equal(sessions.findPolicy("198.18.4.6"), undefined);
    assert.equal(sessions.remove(testSandboxId), false);
    assert.deepEqual(released, ["198.18.4.6"]);
    assert.equal(sessions.count, 0);
  });
});
