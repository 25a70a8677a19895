import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createAddressJudge } from "@opencomputer/process";
import { egressExplanationSchema } from "@opencomputer/protocol/api";
import type { DescribedRequest, DescribedSession } from "@opencomputer/protocol/wire";
import type { ChooseRouteDependencies } from "../upstream/choose-route.ts";
import { DialError } from "../upstream/destination.ts";
import { createOperatorHosts } from "../upstream/operator-hosts.ts";
import { describedPolicy } from "./described-policy.ts";
import { explainRequest } from "./explain-request.ts";

const deps: ChooseRouteDependencies = {
  operatorHosts: createOperatorHosts([]),
  async resolveHost(host) {
    if (host.startsWith("absent"))
      throw new DialError("name_not_resolved", `${host} has no address`);
    return [host.startsWith("private") ? "10.1.2.3" : "93.184.216.34"];
  },
  judgeAddress: createAddressJudge([]),
  isOwnAddress: () => false,
  upstreamProxy: undefined,
};

const secret = (name: string, allowedHosts: string[], substituteIn = ["header"]) => ({
  kind: "value" as const,
  ...{ name, allowedHosts, substituteIn },
});

const allowlisted: DescribedSession = {
  mode: "allowlisted",
  egressAllowlist: ["*.example.com", "api.example.org:8443", "tcp://db.example.com:5432"],
  secrets: [
    secret("KEY", ["api.example.com"], ["header:authorization", "query"]),
    secret("ELSEWHERE", ["other.example.com"]),
    secret("NOWHERE", [], []),
    { ...secret("AWS", ["*.example.com"]), kind: "aws" },
  ],
  revokedSecrets: ["OLD"],
};

async function explain(session: DescribedSession, url: string, method = "GET") {
  const { protocol, hostname, port } = new URL(url.replace(/^tcp:/, "ws:"));
  const scheme = url.startsWith("tcp:") ? "tcp" : protocol === "https:" ? "https" : "http";
  const usual = { https: 443, http: 80, tcp: 0 }[scheme];
  const request: DescribedRequest = {
    ...{ method, protocol: scheme, host: hostname },
    port: port === "" ? usual : Number(port),
  };
  const signal = new AbortController().signal;
  return egressExplanationSchema.parse(
    await explainRequest(deps, describedPolicy(session), request, signal),
  );
}

describe("explainRequest", () => {
  const cases: [string, "allowed" | "refused", string, string | null][] = [
    ["https://api.example.com/v1", "allowed", "allowlist_entry", "*.example.com"],
    ["https://example.com/", "refused", "not_in_allowlist", null],
    ["https://api.example.org:8443/", "allowed", "allowlist_entry", "api.example.org:8443"],
    ["https://api.example.org/", "refused", "not_in_allowlist", null],
    ["http://api.example.com/", "allowed", "allowlist_entry", "*.example.com"],
    ["http://api.example.com:8080/", "refused", "not_in_allowlist", null],
    ["tcp://db.example.com:5432", "allowed", "allowlist_entry", "tcp://db.example.com:5432"],
    ["tcp://db.example.com:5433", "refused", "not_in_allowlist", null],
    ["https://private.example.com/", "refused", "address", null],
    ["tcp://other.example.com:5432", "refused", "not_in_allowlist", null],
    ["https://absent.example.com/", "refused", "name_not_resolved", null],
  ];
  for (const [url, decision, rule, entry] of cases) {
    test(`${url} is ${decision} by ${rule}`, async () => {
      const explained = await explain(allowlisted, url);
      assert.deepEqual(
        [explained.decision, explained.rule, explained.entry],
        [decision, rule, entry],
      );
      assert.notEqual(explained.reason, "");
    });
  }

  test("names where each secret would be substituted, and why one would be withheld", async () => {
    const { secrets } = await explain(allowlisted, "https://api.example.com/");
    assert.deepEqual(
      secrets.map(({ name, substituteIn, withheld }) => [name, substituteIn, withheld]),
      [
        ["KEY", ["header:authorization", "query"], null],
        ["ELSEWHERE", [], "host"],
        ["NOWHERE", [], "placement"],
        ["AWS", ["header:authorization"], null],
        ["OLD", [], "revoked"],
      ],
    );
    const plain = await explain(allowlisted, "http://api.example.com/");
    assert.deepEqual(
      plain.secrets.map(({ name, withheld }) => [name, withheld]),
      [
        ["KEY", "plain_http"],
        ["ELSEWHERE", "host"],
        ["NOWHERE", "plain_http"],
        ["AWS", "plain_http"],
        ["OLD", "revoked"],
      ],
    );
    const refused = await explain(allowlisted, "https://elsewhere.example.org/");
    assert.ok(refused.secrets.every(({ substituteIn }) => substituteIn.length === 0));
    assert.deepEqual((await explain(allowlisted, "tcp://db.example.com:5432")).secrets, []);
  });

  test("a method that the proxy does not serve is refused", async () => {
    const explained = await explain(allowlisted, "https://api.example.com/", "CONNECT");
    assert.equal(explained.decision, "refused");
    assert.match(explained.reason, /CONNECT is not supported/);
  });

  test("without an allowlist every public host is reached, and private ones are not", async () => {
    const session: DescribedSession = {
      ...{ mode: "intercepted", egressAllowlist: [], revokedSecrets: [] },
      secrets: [secret("KEY", [])],
    };
    const anywhere = await explain(session, "https://any.example.net/");
    assert.deepEqual([anywhere.decision, anywhere.rule], ["allowed", "no_allowlist"]);
    assert.deepEqual(anywhere.secrets[0]?.substituteIn, ["header"]);
    assert.equal((await explain(session, "https://private.example.net/")).rule, "address");
    const bypassing = await explain(session, "https://any.example.net:8443/");
    assert.deepEqual([bypassing.decision, bypassing.secrets], ["allowed", []]);
    const open = await explain(
      { ...session, mode: "open", secrets: [] },
      "https://any.example.net/",
    );
    assert.deepEqual([open.decision, open.rule], ["allowed", "open"]);
  });
});
