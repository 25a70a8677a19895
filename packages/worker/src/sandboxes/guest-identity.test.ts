import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configureGuestRequestSchema } from "@opencomputer/protocol";
import { guestIdentity } from "./guest-identity.ts";

const identityOf = (hostname: string) => guestIdentity({ hostname, cpuCount: 1, environment: {} });

describe("guestIdentity", () => {
  test("a sandbox is the same machine at each of its restores, with other entropy", () => {
    const [first, second] = [identityOf("sb-abc234"), identityOf("sb-abc234")];
    assert.equal(first.machineId, second.machineId);
    assert.equal(first.hostname, second.hostname);
    assert.notEqual(first.entropyBase64, second.entropyBase64);
  });

  test("another sandbox is another machine", () => {
    assert.notEqual(identityOf("sb-abc234").machineId, identityOf("sb-abc235").machineId);
  });

  test("has the form of the wire, and ends no connections unless that is asked for", () => {
    const identity = configureGuestRequestSchema.parse(identityOf("sb-abc234"));
    assert.equal(identity.closeConnections, false);
  });
});
