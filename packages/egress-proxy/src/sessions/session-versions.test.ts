import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { otherSandboxId, testSandboxId, testSession } from "../testing/sessions.ts";
import { createSessionVersions } from "./session-versions.ts";

const isStale = (error: unknown) => error instanceof WireError && error.code === "stale_session";
const session = (version: number, sandboxId = testSandboxId) => testSession({ version, sandboxId });

describe("createSessionVersions", () => {
  test("a higher version passes, an equal one too, a lower one is refused", () => {
    const versions = createSessionVersions();
    versions.admit(session(4), undefined);
    versions.admit(session(4), { version: 4 });
    versions.admit(session(6), { version: 4 });
    assert.throws(() => versions.admit(session(5), { version: 6 }), isStale);
  });

  test("a refused version leaves no trace", () => {
    const versions = createSessionVersions();
    assert.throws(() => versions.admit(session(2), { version: 3 }), isStale);
    versions.admit(session(3), { version: 3 });
  });

  test("the error names the sandbox, both versions and what to do", () => {
    const versions = createSessionVersions();
    assert.throws(
      () => versions.admit(session(1), { version: 7 }),
      /Version 1 of the session of sb-a+ is stale, expected 7 or higher: .*Hand over/,
    );
  });

  test("a session that ended is remembered, whether or not it was removed by name", () => {
    const versions = createSessionVersions();
    versions.admit(session(4), undefined);
    assert.throws(() => versions.admit(session(3), undefined), isStale);
    versions.ended({ sandboxId: testSandboxId, version: 4 });
    assert.throws(() => versions.admit(session(3), undefined), isStale);
    assert.throws(() => versions.admit(session(4), undefined), isStale);
    versions.admit(session(5), undefined);
  });

  test("each sandbox has its own order", () => {
    const versions = createSessionVersions();
    versions.admit(session(9), undefined);
    versions.admit(session(1, otherSandboxId), undefined);
  });

  test("the record of ended sessions is bounded; one in effect always counts", () => {
    const versions = createSessionVersions({ rememberedMax: 1 });
    versions.admit(session(9), undefined);
    versions.admit(session(1, otherSandboxId), undefined);
    assert.throws(() => versions.admit(session(8), { version: 9 }), isStale);
    versions.ended({ sandboxId: testSandboxId, version: 9 });
    assert.throws(() => versions.admit(session(8), undefined), isStale);
    versions.admit(session(1, otherSandboxId), undefined);
    versions.admit(session(8), undefined);
  });
});
