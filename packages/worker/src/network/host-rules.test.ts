import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostInterfaceGroups, hostRules } from "./host-rules.ts";
import { parseNetworkBlock } from "./network-block.ts";

const rules = hostRules({
  installationId: "00c0ffee",
  block: parseNetworkBlock("198.18.4.0/22"),
  deniedRanges: ["9.9.9.0/24", "2001:db8::/32"],
  clientUserId: 997,
});
const { open, intercepted, allowlisted } = hostInterfaceGroups;

/** The rules of a chain, without what declares it. */
function chain(name: string): string[] {
  const body = new RegExp(`chain ${name} \\{\\n([^}]*(?:\\{[^}\\n]*\\}[^}]*)*)\\n {2}\\}`).exec(
    rules,
  );
  return (body?.[1] ?? "").split("\n").map((line) => line.trim());
}

describe("hostRules", () => {
  test("an interface that nobody gave a mode is of a closed slot", () => {
    assert.equal(hostInterfaceGroups.closed, 0);
    assert.equal(new Set(Object.values(hostInterfaceGroups)).size, 4);
  });

  test("the mode is asked before whether a connection is known", () => {
    assert.match(chain("input")[1] ?? "", /^iifname "oc00c0ffee-\*" goto input_from_slot$/);
    assert.match(chain("forward")[2] ?? "", /^iifname "oc00c0ffee-\*" goto forward_from_slot$/);
  });

  test("what no rule names is dropped, in the host and beyond it", () => {
    assert.equal(chain("input_from_slot").at(-1), "drop");
    assert.equal(chain("forward_from_slot").at(-1), "drop");
  });

  test("a slot reaches the proxy in each mode but closed", () => {
    assert.deepEqual(chain("input_from_slot").slice(0, -1), [
      "ct direction reply ct state established,related accept",
      `iifgroup { ${open}, ${intercepted}, ${allowlisted} } goto to_proxy`,
    ]);
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

  test("replaces the rules before in the same transaction", () => {
    const table = "table inet opencomputer_00c0ffee";
    assert.ok(rules.startsWith(`${table}\ndelete ${table}\n${table} {`));
  });
});
