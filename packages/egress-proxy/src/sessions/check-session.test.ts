import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limits, WireError } from "@opencomputer/protocol/api";
import type { EgressSession } from "@opencomputer/protocol/wire";
import { testSecret, testSession } from "../testing/sessions.ts";
import { checkSession } from "./check-session.ts";

describe("checkSession", () => {
  test("accepts a session in canonical form", () => {
    checkSession(
      testSession({
        egressAllowlist: ["api.example.com", "*.example.org"],
        secrets: [testSecret("a"), testSecret("b", { allowedHosts: ["*.example.org"] })],
      }),
    );
  });

  const refused: { name: string; session: Partial<EgressSession>; message: RegExp }[] = [
    {
      name: "a pattern in capitals",
      session: { egressAllowlist: ["API.example.com"] },
      message: /egressAllowlist/,
    },
    { name: "a bare star", session: { egressAllowlist: ["*"] }, message: /egressAllowlist/ },
    {
      name: "a malformed host limit",
      session: { secrets: [testSecret("a", { allowedHosts: ["https://x.test"] })] },
      message: /secrets\[0\]\.allowedHosts/,
    },
    {
      name: "a token given twice",
      session: { secrets: [testSecret("a"), testSecret("a", { name: "OTHER" })] },
      message: /secrets\[1\]\.token/,
    },
    {
      name: "a name given twice",
      session: { secrets: [testSecret("a"), testSecret("b", { name: "SECRET_a" })] },
      message: /secrets\[1\]\.name/,
    },
    {
      name: "an empty value",
      session: { secrets: [testSecret("a", { value: "" })] },
      message: /has 0 bytes/,
    },
    {
      name: "a value over the limit",
      session: { secrets: [testSecret("a", { value: "ü".repeat(limits.secretValueBytesMax) })] },
      message: /has 131072 bytes/,
    },
  ];
  for (const { name, session, message } of refused) {
    test(`refuses ${name} without quoting a value`, () => {
      assert.throws(
        () => checkSession(testSession(session)),
        (error: unknown) =>
          error instanceof WireError &&
          error.status === 400 &&
          message.test(error.message) &&
          !error.message.includes("canary-value"),
      );
    });
  }
});
