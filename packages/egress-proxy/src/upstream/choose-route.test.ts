import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createAddressJudge } from "@opencomputer/process";
import { egressHostsSchema, upstreamProxyExceptionsSchema } from "@opencomputer/protocol/wire";
import { chooseRoute, createUpstreamProxyUse } from "./choose-route.ts";
import { type Destination, DialError } from "./destination.ts";
import { createOperatorHosts } from "./operator-hosts.ts";

const proxy = { host: "proxy.corp.example", port: 3128, authorization: null };
const exceptions = "direct.test,.suffix.test,9.9.9.0/24,2606:4700::/32";

/** A host without an entry cannot be resolved here. */
function scenario(addresses: Record<string, string[]>) {
  const asked: string[] = [];
  const deps = {
    operatorHosts: createOperatorHosts(egressHostsSchema.parse("mapped.test:443=10.0.0.5:9443")),
    resolveHost: async (host: string) => {
      asked.push(host);
      const found = addresses[host];
      if (found !== undefined) return found;
      throw new DialError("name_not_resolved", `${host} could not be resolved`);
    },
    judgeAddress: createAddressJudge(["8.8.4.0/24"]),
    isOwnAddress: (address: string) => address === "5.5.5.5",
    upstreamProxy: createUpstreamProxyUse(proxy, upstreamProxyExceptionsSchema.parse(exceptions)),
  };
  const choose = (host: string, scheme: Destination["scheme"] = "https") =>
    chooseRoute(deps, { scheme, host }, new AbortController().signal);
  return { asked, choose };
}

const refused = { name: "DialError", failure: "address_refused" };

describe("chooseRoute with an upstream proxy", () => {
  test("a public host passes through the proxy, at the port of its scheme", async () => {
    const { choose } = scenario({ "public.test": ["1.1.1.1"] });
    assert.deepEqual(await choose("public.test"), { kind: "tunnel", proxy, port: 443 });
    assert.deepEqual(await choose("public.test", "http"), { kind: "tunnel", proxy, port: 80 });
    assert.deepEqual(await choose("1.1.1.1"), { kind: "tunnel", proxy, port: 443 });
  });

  test("a host that cannot be resolved here does, too, and is not resolved again at once", async () => {
    const { asked, choose } = scenario({});
    assert.equal((await choose("elsewhere.test")).kind, "tunnel");
    assert.equal((await choose("elsewhere.test")).kind, "tunnel");
    assert.deepEqual(asked, ["elsewhere.test"]);
  });

  test("a host with any address that is not public is refused: the proxy chooses among them", async () => {
    const { choose } = scenario({
      "private.test": ["10.0.0.1"],
      "mixed.test": ["1.1.1.1", "10.0.0.1"],
      "denied.test": ["8.8.4.4"],
      "own.test": ["5.5.5.5"],
    });
    for (const host of ["private.test", "mixed.test", "denied.test", "own.test"]) {
      await assert.rejects(choose(host), refused, host);
    }
  });

  test("literal private addresses and names of private networks are refused", async () => {
    const { asked, choose } = scenario({});
    for (const host of [
      "10.0.0.1",
      "169.254.169.254",
      "::1",
      "::ffff:10.0.0.1",
      "64:ff9b::a00:1",
    ]) {
      await assert.rejects(choose(host), refused, host);
    }
    for (const host of ["intranet", "wiki.corp", "localhost", "printer.local", "x.home.arpa"]) {
      await assert.rejects(choose(host), /that of a private network.*OPENCOMPUTER_EGRESS_HOSTS/);
    }
    assert.deepEqual(asked, []);
    assert.equal((await choose("local.test")).kind, "tunnel", "only the last label counts");
  });

  test("operator's addresses and exceptions are dialled directly, under the same rule", async () => {
    const { choose } = scenario({
      "direct.test": ["1.1.1.1", "10.0.0.1"],
      "a.b.suffix.test": ["1.1.1.2"],
      "suffix.test": ["1.1.1.3"],
      "ranged.test": ["9.9.9.9", "2606:4700::1"],
      "partly-ranged.test": ["9.9.9.9", "1.1.1.4"],
      "below.direct.test": ["1.1.1.5"],
    });
    const direct = (address: string, port = 443) => ({
      kind: "direct",
      targets: [{ address, port }],
    });
    assert.deepEqual(await choose("mapped.test"), direct("10.0.0.5", 9443));
    assert.equal((await choose("mapped.test", "http")).kind, "tunnel", "it has port 443 alone");
    assert.deepEqual(await choose("direct.test"), direct("1.1.1.1"));
    assert.deepEqual(await choose("a.b.suffix.test"), direct("1.1.1.2"));
    assert.deepEqual(await choose("9.9.9.1"), direct("9.9.9.1"));
    assert.equal((await choose("ranged.test")).kind, "direct");
    for (const host of ["suffix.test", "partly-ranged.test", "below.direct.test"]) {
      assert.equal((await choose(host)).kind, "tunnel", host);
    }
  });
});
