import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostInterfaceGroups, hostRules, streamMark } from "./host-rules.ts";
import { parseNetworkBlock } from "./network-block.ts";

const rulesFor = (egressProxyCount: number) =>
  hostRules({
    installationId: "00c0ffee",
    block: parseNetworkBlock("198.18.4.0/22"),
    egressProxyCount,
    deniedRanges: ["9.9.9.0/24", "2001:db8::/32"],
    clientUserId: 997,
  });
const rules = rulesFor(1);
const { open, intercepted, allowlisted } = hostInterfaceGroups;

/** The rules of a chain, without its declaration. */
function chain(name: string, text = rules): string[] {
  const body = new RegExp(`chain ${name} \\{\\n([^}]*(?:\\{[^}\\n]*\\}[^}]*)*)\\n {2}\\}`).exec(
    text,
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

  test("one proxy serves every slot, without a set, a zone and a translation", () => {
    assert.doesNotMatch(rules, /slots_of_proxy|zone|dstnat/);
    assert.deepEqual(chain("to_proxy").slice(0, 2), [
      "ip daddr 198.18.4.1 udp dport 5353 accept",
      "ip daddr 198.18.4.1 tcp dport { 8443, 8080, 5353, 8254 } accept",
    ]);
  });

  test("of several proxies each has some of the slots, and no slot two", () => {
    const sets = [
      ...rulesFor(3).matchAll(/set (\S+) \{ type ipv4_addr; elements = \{ (.*?) \}; \}/g),
    ];
    assert.deepEqual(
      sets.map(([, name]) => name),
      ["slots_of_proxy_1", "slots_of_proxy_2", "slots_of_proxy_3"],
    );
    const addresses = sets.map(([, , elements = ""]) => elements.split(", "));
    assert.deepEqual(
      addresses.map(({ length }) => length),
      [85, 85, 85],
    );
    assert.equal(new Set(addresses.flat()).size, 255);
  });

  test("of several proxies a slot is sent to its own, and reaches no other", () => {
    const several = rulesFor(2);
    const mark = streamMark("00c0ffee");
    assert.match(chain("other_ports", several)[2] ?? "", /ip saddr @slots_of_proxy_2 .*:8454/);
    assert.deepEqual(
      chain("own_proxy", several)
        .slice(1)
        .map((rule) => rule.replace(/^iifname "oc00c0ffee-\*" ip daddr 198\.18\.4\.1 /, "")),
      [
        "ip saddr @slots_of_proxy_2 tcp dport 8443 dnat ip to 198.18.4.1:8453",
        "ip saddr @slots_of_proxy_2 tcp dport 8080 dnat ip to 198.18.4.1:8090",
        "ip saddr @slots_of_proxy_2 tcp dport 5353 dnat ip to 198.18.4.1:5363",
        "ip saddr @slots_of_proxy_2 udp dport 5353 dnat ip to 198.18.4.1:5363",
      ],
    );
    assert.deepEqual(
      chain("input_from_slot", several)
        .filter((rule) => rule.includes("log group"))
        .map((rule) => /ip saddr (@\S+) .* log group (\d+)/.exec(rule)?.slice(1)),
      [
        ["@slots_of_proxy_1", "65518"],
        ["@slots_of_proxy_2", "65519"],
      ],
    );
    assert.ok(
      chain("input_from_slot", several).includes(
        `iifgroup ${allowlisted} meta mark ${mark} meta l4proto tcp accept`,
      ),
    );
    assert.deepEqual(chain("to_proxy", several).slice(0, 4), [
      "ip saddr @slots_of_proxy_1 ip daddr 198.18.4.1 udp dport 5353 accept",
      "ip saddr @slots_of_proxy_1 ip daddr 198.18.4.1 tcp dport { 8443, 8080, 5353, 8254 } accept",
      "ip saddr @slots_of_proxy_2 ip daddr 198.18.4.1 udp dport 5363 accept",
      "ip saddr @slots_of_proxy_2 ip daddr 198.18.4.1 tcp dport { 8453, 8090, 5363, 8254 } accept",
    ]);
  });

  test("replaces earlier rules in the same transaction", () => {
    const table = "table inet opencomputer_00c0ffee";
    assert.ok(rules.startsWith(`${table}\ndelete ${table}\n${table} {`));
  });
});
