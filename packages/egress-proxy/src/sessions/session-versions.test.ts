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
    versions.admit(session(4), {});
    versions.admit(session(4), { held: { sandboxId: testSandboxId, version: 4 } });
    versions.admit(session(6), { held: { sandboxId: testSandboxId, version: 4 } });
    assert.throws(
      () => versions.admit(session(5), { held: { sandboxId: testSandboxId, version: 6 } }),
      isStale,
    );
  });

  test("a refused version leaves no trace", () => {
    const versions = createSessionVersions();
    assert.throws(
      () => versions.admit(session(2), { held: { sandboxId: testSandboxId, version: 3 } }),
      isStale,
    );
    versions.admit(session(3), { held: { sandboxId: testSandboxId, version: 3 } });
  });

  test("the error names the sandbox, both versions and what to do", () => {
    const versions = createSessionVersions();
    assert.throws(
      () => versions.admit(session(1), { held: { sandboxId: testSandboxId, version: 7 } }),
      /Version 1 of the session of sb-a+ is stale, expected 7 or higher: .*Hand over/,
    );
  });

  test("a session that ended is remembered, whether or not it was removed by name", () => {
    const versions = createSessionVersions();
    versions.admit(session(4), {});
    assert.throws(() => versions.admit(session(3), {}), isStale);
    versions.ended({ sandboxId: testSandboxId, version: 4 });
    assert.throws(() => versions.admit(session(3), {}), isStale);
    assert.throws(() => versions.admit(session(4), {}), isStale);
    versions.admit(session(5), {});
  });

  test("an address goes to a later session of another sandbox, and never back to an earlier one", () => {
    const versions = createSessionVersions();
    const owner = { sandboxId: otherSandboxId, version: 7 };
    assert.throws(() => versions.admit(session(6), { owner }), isStale);
    assert.throws(
      () => versions.admit(session(6), { owner }),
      /Version 6 of the session of sb-a+ is stale: 198.18.4.6 was given to sb-b+ with version 7. Hand over/,
    );
    versions.admit(session(5), {});
    versions.admit(session(8), { owner });
    versions.admit(session(8), { owner: { sandboxId: testSandboxId, version: 8 } });
    assert.throws(() => versions.admit(session(7, otherSandboxId), {}), isStale);
  });

  test("each sandbox has its own order", () => {
    const versions = createSessionVersions();
    versions.admit(session(9), {});
    versions.admit(session(1, otherSandboxId), {});
  });

  test("the record of ended sessions is bounded; one in effect always counts", () => {
    const versions = createSessionVersions({ rememberedMax: 1 });
    versions.admit(session(9), {});
    versions.admit(session(1, otherSandboxId), {});
    assert.throws(
      () => versions.admit(session(8), { held: { sandboxId: testSandboxId, version: 9 } }),
      isStale,
    );
    versions.ended({ sandboxId: testSandboxId, version: 9 });
    assert.throws(() => versions.admit(session(8), {}), isStale);
    versions.admit(session(1, otherSandboxId), {});
    versions.admit(session(8), {});
  });
});
