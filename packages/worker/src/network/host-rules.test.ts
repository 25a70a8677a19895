import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostInterfaceGroups, hostRules, streamMark } from "./host-rules.ts";
import { parseNetworkBlock } from "./network-block.ts";

const rules = hostRules({
  installationId: "00c0ffee",
  block: parseNetworkBlock("198.18.4.0/22"),
  deniedRanges: ["9.9.9.0/24", "2001:db8::/32"],
  clientUserId: 997,
});
const { open, intercepted, allowlisted } = hostInterfaceGroups;

/** The rules of a chain, without its declaration. */
function chain(name: string): string[] {
  const body = new RegExp(`chain ${name} \\{\\n([^}]*(?:\\{[^}\\n]*\\}[^}]*)*)\\n {2}\\}`).exec(
    rules,
  );
  return (body?.[1] ?? "").split("\n").map((line) => line.trim());
}

describe("hostRules", () => {
  test("an interface without a mode counts as one of a closed slot", () => {
    assert.equal(hostInterfaceGroups.closed, 0);
    assert.equal(new Set(Object.values(hostInterfaceGroups)).size, 4);
  });

  test("the mode is checked before the state of the connection", () => {
    assert.match(chain("input")[1] ?? "", /^iifname "oc00c0ffee-\*" goto input_from_slot$/);
    assert.match(chain("forward")[2] ?? "", /^iifname "oc00c0ffee-\*" goto forward_from_slot$/);
  });

  test("packets that no rule accepts are dropped, to the host and beyond it", () => {
    assert.equal(chain("input_from_slot").at(-1), "drop");
    assert.equal(chain("forward_from_slot").at(-1), "drop");
  });

  test("a slot reaches the proxy in each mode but closed", () => {
    assert.deepEqual(chain("input_from_slot").slice(0, -1), [
      "ct direction reply ct state established,related accept",
      `iifgroup ${allowlisted} meta mark ${streamMark("00c0ffee")} meta l4proto tcp accept`,
      `iifgroup ${allowlisted} ip daddr != 198.18.4.1 tcp flags & (syn | ack) == syn limit rate 50/second burst 100 packets log group 65518 snaplen 64`,
      `iifgroup { ${open}, ${intercepted}, ${allowlisted} } goto to_proxy`,
    ]);
  });

  test("TCP of an allowlisted slot alone goes to the proxy with its address, and none to a special range", () => {
    const [, rule = ""] = chain("other_ports");
    assert.match(
      rule,
      new RegExp(
        `^iifgroup ${allowlisted} iifname "oc00c0ffee-\\*" ip daddr != \\{ .*10\\.0\\.0\\.0/8.* \\} meta l4proto tcp tproxy ip to 198\\.18\\.4\\.1:8444`,
      ),
    );
    assert.equal(chain("other_ports").length, 2);
  });

  test("nothing of an allowlisted slot is forwarded", () => {
    assert.ok(!chain("forward_from_slot").some((rule) => rule.includes(String(allowlisted))));
  });

  test("special and denied ranges and resolvers are refused before anything is opened", () => {
    const [ranges = "", denied = "", resolvers = "", first = ""] = chain("forward_from_slot");
    assert.match(ranges, /169\.254\.0\.0\/16.* drop$/);
    assert.equal(denied, "ip daddr 9.9.9.0/24 drop");
    assert.equal(resolvers, "meta l4proto { tcp, udp } th dport 53 drop");
    assert.equal(first, `iifgroup ${open} accept`);
  });

  test("replaces earlier rules in the same transaction", () => {
    const table = "table inet opencomputer_00c0ffee";
    assert.ok(rules.startsWith(`${table}\ndelete ${table}\n${table} {`));
  });
});
