import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configureGuestRequestSchema } from "@opencomputer/protocol/wire";
import { guestIdentity } from "./guest-identity.ts";

const identityOf = (hostname: string) => guestIdentity({ hostname, cpuCount: 1, environment: {} });

describe("guestIdentity", () => {
  test("a sandbox has the same machine id at each restore, and new entropy", () => {
    const [first, second] = [identityOf("sb-abc234"), identityOf("sb-abc234")];
    assert.equal(first.machineId, second.machineId);
    assert.equal(first.hostname, second.hostname);
    assert.notEqual(first.entropyBase64, second.entropyBase64);
  });

  test("another sandbox has another machine id", () => {
    assert.notEqual(identityOf("sb-abc234").machineId, identityOf("sb-abc235").machineId);
  });

  test("has the form of the wire, and closes no connections unless requested", () => {
    const identity = configureGuestRequestSchema.parse(identityOf("sb-abc234"));
    assert.equal(identity.closeConnections, false);
  });
});
