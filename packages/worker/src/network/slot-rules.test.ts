import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseNetworkBlock } from "./network-block.ts";
import { slotAt } from "./slot.ts";
import { type SlotMode, slotRules } from "./slot-rules.ts";

const slot = slotAt("00c0ffee", parseNetworkBlock("198.18.4.0/22"), 3);

/** Which statements each mode has. What a mode lacks reaches the last rule, which rejects it. */
const statements: Record<string, { text: string; modes: readonly SlotMode[] }> = {
  "HTTP to the metadata address goes to the worker's service": {
    text: 'iifname "tap0" ip daddr 169.254.169.254 tcp dport 80 dnat ip to 198.18.4.1:8254',
    modes: ["open", "intercepted", "allowlisted"],
  },
  "every question for a name goes to the proxy's resolver, by UDP": {
    text: 'iifname "tap0" udp dport 53 dnat ip to 198.18.4.1:5353',
    modes: ["open", "intercepted", "allowlisted"],
  },
  "every question for a name goes to the proxy's resolver, by TCP": {
    text: 'iifname "tap0" tcp dport 53 dnat ip to 198.18.4.1:5353',
    modes: ["open", "intercepted", "allowlisted"],
  },
  "all HTTPS goes to the proxy": {
    text: 'iifname "tap0" tcp dport 443 dnat ip to 198.18.4.1:8443',
    modes: ["intercepted", "allowlisted"],
  },
  "all plain HTTP goes to the proxy": {
    text: 'iifname "tap0" tcp dport 80 dnat ip to 198.18.4.1:8080',
    modes: ["intercepted", "allowlisted"],
  },
  "HTTPS to the gateway goes to the proxy": {
    text: 'iifname "tap0" ip daddr 169.254.0.1 tcp dport 443 dnat ip to 198.18.4.1:8443',
    modes: ["open"],
  },
  "HTTP to the gateway goes to the proxy": {
    text: 'iifname "tap0" ip daddr 169.254.0.1 tcp dport 80 dnat ip to 198.18.4.1:8080',
    modes: ["open"],
  },
  "the public internet is open": {
    text: '    iifname "tap0" accept\n',
    modes: ["open", "intercepted"],
  },
  "a range that the operator denies is refused": {
    text: 'iifname "tap0" ip daddr 9.9.9.0/24 jump refuse',
    modes: ["open", "intercepted"],
  },
  "connections to the proxy that are opened too fast are refused": {
    text: 'iifname "tap0" ct state new ip daddr 198.18.4.1 meta l4proto tcp limit rate over 500/second burst 1000 packets jump refuse',
    modes: ["closed", "open", "intercepted", "allowlisted"],
  },
  "questions by UDP that come too fast are dropped, those of one flow too": {
    text: 'policy drop;\n    iifname "tap0" ip daddr 198.18.4.1 udp dport 5353 limit rate over 1000/second burst 1000 packets drop\n    ct state established,related accept',
    modes: ["closed", "open", "intercepted", "allowlisted"],
  },
  "an open port keeps its address": {
    text: '169.254.128.0/17 } tcp dport { 5432 } accept\n    iifname "tap0" meta l4proto tcp dnat ip to',
    modes: ["allowlisted"],
  },
  "an open port is forwarded, at the same rate": {
    text: "169.254.128.0/17 } tcp dport { 5432 } ct state new limit rate over 500/second burst 1000 packets jump refuse",
    modes: ["allowlisted"],
  },
  "other ports go to the host, which rejects and reports them": {
    text: 'iifname "tap0" meta l4proto tcp dnat ip to 198.18.4.17\n',
    modes: ["allowlisted"],
  },
  "QUIC is refused": { text: 'iifname "tap0" udp dport 443 jump refuse', modes: ["intercepted"] },
  "a rejection is sent": {
    text: "chain refuse {\n    meta l4proto tcp reject with tcp reset\n    reject with icmp",
    modes: ["open", "intercepted", "allowlisted"],
  },
  "a refusal is silent": { text: "chain refuse {\n    drop\n  }", modes: ["closed"] },
  "what is left is refused": {
    text: '    iifname "tap0" jump refuse\n  }\n  chain refuse',
    modes: ["closed", "open", "intercepted", "allowlisted"],
  },
  "nothing is forwarded by default": {
    text: "type filter hook forward priority filter; policy drop;",
    modes: ["closed", "open", "intercepted", "allowlisted"],
  },
  "a segment from the middle of an unknown connection is refused": {
    text: 'iifname "tap0" ct state new tcp flags & (fin | syn | rst | ack) != syn jump refuse',
    modes: ["closed", "open", "intercepted", "allowlisted"],
  },
  "what belongs to no connection is refused": {
    text: 'iifname "tap0" ct state invalid jump refuse',
    modes: ["closed", "open", "intercepted", "allowlisted"],
  },
  "a guest cannot take another address": {
    text: 'iifname "tap0" ip saddr != 169.254.0.2 drop',
    modes: ["closed", "open", "intercepted", "allowlisted"],
  },
  "the slot itself sends nothing by default": {
    text: 'type filter hook output priority filter; policy drop;\n    oifname "tap0"',
    modes: ["closed", "open", "intercepted", "allowlisted"],
  },
  "what the slot itself sends may leave by the host's side": {
    text: 'oifname "veth0" accept',
    modes: [],
  },
  "only the host connects to the guest": {
    text: 'iifname "veth0" ip saddr 198.18.4.17 ip daddr 198.18.4.18 meta l4proto tcp dnat ip to 169.254.0.2',
    modes: ["closed", "open", "intercepted", "allowlisted"],
  },
};

describe("slotRules", () => {
  for (const mode of ["closed", "open", "intercepted", "allowlisted"] as const) {
    for (const [meaning, { text, modes }] of Object.entries(statements)) {
      const expected = modes.includes(mode);
      test(`${mode}: ${expected ? "" : "not: "}${meaning}`, () => {
        assert.equal(slotRules(slot, mode, ["9.9.9.0/24"], [5432]).includes(text), expected);
      });
    }
  }

  test("open and intercepted refuse special ranges before they accept the rest", () => {
    for (const mode of ["open", "intercepted"] as const) {
      const rules = slotRules(slot, mode, ["9.9.9.0/24"]);
      const refusal = rules.indexOf("192.168.0.0/16");
      assert.ok(refusal > 0 && refusal < rules.indexOf('    iifname "tap0" accept\n'));
    }
  });

  test("replaces earlier rules in the same transaction", () => {
    assert.match(
      slotRules(slot, "open", []),
      /^table inet slot\ndelete table inet slot\ntable inet slot \{/,
    );
  });

  test("ports that the proxy serves already, and no ports, open nothing", () => {
    const without = slotRules(slot, "allowlisted", []);
    assert.equal(slotRules(slot, "allowlisted", [], [443, 80, 53]), without);
    assert.ok(!without.includes("} tcp dport {"));
  });
});
