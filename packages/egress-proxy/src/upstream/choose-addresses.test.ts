import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createAddressJudge } from "@opencomputer/process";
import { egressHostsSchema } from "@opencomputer/protocol/wire";
import { chooseAddresses } from "./choose-addresses.ts";
import { type Destination, DialError } from "./destination.ts";
import { createOperatorHosts } from "./operator-hosts.ts";

function scenario(answers: Record<string, string[]>) {
  const asked: string[] = [];
  const choose = (destination: Destination) =>
    chooseAddresses(
      {
        operatorHosts: createOperatorHosts(egressHostsSchema.parse("mapped.test=10.0.0.5:9443")),
        resolveHost: async (host) => {
          asked.push(host);
          return answers[host] ?? [];
        },
        judgeAddress: createAddressJudge(["9.9.9.0/24"]),
        isOwnAddress: (address) => address === "5.5.5.5",
      },
      destination,
      new AbortController().signal,
    );
  return { asked, choose };
}

describe("chooseAddresses", () => {
  test("an operator's address is dialled, private or not, and its name is not resolved", async () => {
    const { asked, choose } = scenario({ "mapped.test": ["8.8.8.8"] });
    assert.deepEqual(await choose({ scheme: "https", host: "mapped.test" }), [
      { address: "10.0.0.5", port: 9443 },
    ]);
    assert.deepEqual(asked, []);
  });

  test("public addresses get the port of the scheme, private ones are left out", async () => {
    const { choose } = scenario({ "mixed.test": ["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1"] });
    assert.deepEqual(await choose({ scheme: "https", host: "mixed.test" }), [
      { address: "8.8.8.8", port: 443 },
      { address: "2606:4700::1", port: 443 },
    ]);
    assert.deepEqual(await choose({ scheme: "http", host: "mixed.test" }), [
      { address: "8.8.8.8", port: 80 },
      { address: "2606:4700::1", port: 80 },
    ]);
  });

  test("a literal address is judged without being resolved", async () => {
    const { asked, choose } = scenario({});
    assert.deepEqual(await choose({ scheme: "http", host: "1.1.1.1" }), [
      { address: "1.1.1.1", port: 80 },
    ]);
    await assert.rejects(choose({ scheme: "http", host: "127.0.0.1" }), DialError);
    assert.deepEqual(asked, []);
  });

  const refused: [string, string[]][] = [
    ["private", ["10.0.0.1"]],
    ["loopback in IPv6 clothes", ["::ffff:127.0.0.1"]],
    ["metadata service", ["169.254.169.254"]],
    ["the host's own public address", ["5.5.5.5"]],
    ["a range that the operator denies", ["9.9.9.9"]],
    ["several, none public", ["192.168.1.1", "fd00::1"]],
  ];
  for (const [name, addresses] of refused) {
    test(`refuses ${name} and names the setting that allows it`, async () => {
      const { choose } = scenario({ "x.test": addresses });
      await assert.rejects(choose({ scheme: "https", host: "x.test" }), (error: unknown) => {
        assert.ok(error instanceof DialError);
        assert.equal(error.failure, "address_refused");
        assert.equal(error.status, 403);
        assert.match(
          error.message,
          /^x\.test is not on the public internet.*OPENCOMPUTER_EGRESS_HOSTS/,
        );
        return true;
      });
    });
  }
});
