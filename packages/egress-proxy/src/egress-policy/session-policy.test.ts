import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import type { EgressSession } from "@opencomputer/protocol/wire";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { awsSecret } from "../testing/aws-secrets.ts";
import { testSecret, testSession } from "../testing/sessions.ts";
import { createSessionPolicy } from "./session-policy.ts";

const scanner = new BlockScanner();
const policyFrom = (session: EgressSession) => createSessionPolicy(session, scanner);

describe("SessionPolicy.refusalFor", () => {
  const cases: {
    name: string;
    session: Partial<EgressSession>;
    allowed: string[];
    refused: string[];
  }[] = [
    {
      name: "allowlisted, an exact host",
      session: { egressAllowlist: ["api.example.com"] },
      allowed: ["api.example.com"],
      refused: ["example.com", "x.api.example.com", "api.example.com.evil.test", "api.example.co"],
    },
    {
      name: "allowlisted, a wildcard",
      session: { egressAllowlist: ["*.example.com"] },
      allowed: ["a.example.com", "a.b.example.com"],
      refused: ["example.com", "notexample.com", "evil-example.com"],
    },
    {
      name: "allowlisted with an empty list",
      session: { egressAllowlist: [] },
      allowed: [],
      refused: ["api.example.com", "127.0.0.1"],
    },
    {
      name: "intercepted",
      session: { mode: "intercepted", egressAllowlist: [] },
      allowed: ["api.example.com", "evil.test"],
      refused: [],
    },
    {
      name: "a list holds in mode intercepted too",
      session: { mode: "intercepted", egressAllowlist: ["api.example.com"] },
      allowed: ["api.example.com"],
      refused: ["evil.test"],
    },
    {
      name: "open",
      session: { mode: "open", egressAllowlist: [] },
      allowed: ["internal.example.com"],
      refused: [],
    },
  ];
  for (const { name, session, allowed, refused } of cases) {
    test(name, () => {
      const policy = policyFrom(testSession(session));
      for (const host of allowed) assert.equal(policy.refusalFor(host), null, host);
      for (const host of refused) assert.notEqual(policy.refusalFor(host), null, host);
    });
  }

  test("names the list, and of a long one only its beginning", () => {
    const egressAllowlist = Array.from({ length: 12 }, (_, index) => `h${index}.example.com`);
    const policy = policyFrom(testSession({ egressAllowlist }));
    assert.match(
      policy.refusalFor("evil.test") ?? "",
      /h0\.example\.com.*h7\.example\.com and 4 more$/,
    );
  });
});

describe("SessionPolicy.secretsFor", () => {
  const anywhere = testSecret("a");
  const limited = testSecret("b", { allowedHosts: ["api.example.com"] });
  const wild = testSecret("c", { allowedHosts: ["*.example.com"] });
  const secrets = [anywhere, limited, wild];
  const cases: { mode: EgressSession["mode"]; host: string; usable: string[] }[] = [
    { mode: "intercepted", host: "api.example.com", usable: ["SECRET_a", "SECRET_b", "SECRET_c"] },
    { mode: "intercepted", host: "www.example.com", usable: ["SECRET_a", "SECRET_c"] },
    { mode: "intercepted", host: "example.com", usable: ["SECRET_a"] },
    { mode: "intercepted", host: "api.example.com.evil.test", usable: ["SECRET_a"] },
    { mode: "open", host: "api.example.com", usable: [] },
    { mode: "allowlisted", host: "evil.test", usable: [] },
  ];
  for (const { mode, host, usable } of cases) {
    test(`${mode}, ${host}: ${usable.join(" ") || "none"}`, () => {
      const egressAllowlist = mode === "allowlisted" ? ["*.example.com"] : [];
      const policy = policyFrom(testSession({ mode, egressAllowlist, secrets }));
      const split = policy.secretsFor(host);
      const names = split.usable.map((secret) => secret.name);
      const withheld = split.withheld.map((secret) => secret.name);
      assert.deepEqual(names, usable);
      assert.deepEqual([...names, ...withheld].sort(), ["SECRET_a", "SECRET_b", "SECRET_c"]);
    });
  }

  test("returns the same object for the same host, so that tables can be cached by it", () => {
    const policy = policyFrom(testSession({ secrets }));
    assert.equal(policy.secretsFor("api.example.com"), policy.secretsFor("api.example.com"));
  });
});

describe("SessionPolicy.mayStoreValue: AWS credentials", () => {
  const placements: [readonly string[], boolean][] = [
    [["header", "body"], false],
    [["header:authorization", "path"], false],
    [["header", "query"], true],
    [["query"], true],
  ];
  for (const [substituteIn, expected] of placements) {
    test(`${expected} in ${substituteIn.join(" and ")}, where they may be used`, () => {
      const secret = awsSecret({
        allowedHosts: ["*.amazonaws.com"],
        substituteIn: [...substituteIn],
      });
      const policy = policyFrom(testSession({ awsSecrets: [secret] }));
      assert.equal(policy.mayStoreValue("logs.s3.amazonaws.com"), expected);
      assert.equal(policy.mayStoreValue("evil.test"), false);
    });
  }
});

test("SessionPolicy: a value can be read, and printing does not show it", () => {
  const policy = policyFrom(testSession({ secrets: [testSecret("a")] }));
  const [secret] = policy.secrets;
  assert.equal(secret?.value, testSecret("a").value);
  const printed = [
    inspect(policy, { depth: 9, showHidden: true }),
    JSON.stringify(policy),
    JSON.stringify({ ...secret }),
    String(secret),
    inspect({ ...secret }),
  ];
  for (const text of printed) assert.ok(!text.includes("canary-value"), text);
});

test("SessionPolicy: does not change when the session object does", () => {
  const session = testSession({ egressAllowlist: ["api.example.com"] });
  const policy = policyFrom(session);
  session.egressAllowlist.push("evil.test");
  assert.notEqual(policy.refusalFor("evil.test"), null);
});
