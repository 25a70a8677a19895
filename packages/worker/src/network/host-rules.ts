import { metadataService } from "@opencomputer/protocol/wire";
import {
  type ProxyOfSlots,
  passToOwnProxy,
  proxiesOfSlots,
  slotSets,
} from "./egress-proxy-rules.ts";
import type { NetworkBlock } from "./network-block.ts";
import { slotNamePrefix } from "./slot.ts";
import type { SlotMode } from "./slot-rules.ts";
import { closedToStreams, ipv4Only, specialRanges } from "./special-ranges.ts";

/** The name of the installation's nftables table on the host. */
export function hostTableName(installationId: string): string {
  return `opencomputer_${installationId}`;
}

/**
 * Group of the host's end of a slot's veth pair, from which the host's rules know
 * the slot's mode. It is a property of the interface, changed by one system
 * call. It stays when the rules are loaded again or the worker restarts, and is
 * removed with the slot: a new interface is in group 0, which is `closed`.
 */
export const hostInterfaceGroups: Readonly<Record<SlotMode, number>> = {
  closed: 0,
  open: 0x6f630001,
  intercepted: 0x6f630002,
  allowlisted: 0x6f630003,
};

/**
 * Mark of packets that go to the proxy with the address that their guest chose, and the
 * number of the routing table that delivers them on the host.
 */
export function streamMark(installationId: string): number {
  // Tables below are the system's.
  return 0x1_0000 + (Number.parseInt(installationId, 16) % 2 ** 31);
}

/**
 * The host's side of the slots' rules. They enforce the mode of a slot for every
 * packet that comes from it, as the slot's own rules do, so that one side makes
 * up for a flaw in the other: for packets of the guest, and for those of code
 * that broke out of it into QEMU. In no mode do packets reach another slot, or a
 * service of the host other than the proxy and the metadata service. Only the
 * worker may connect to guests. Under an allowlist the slot passes connections to open
 * ports on with their address, and `tproxy` gives them to the proxy: none is
 * forwarded. A rejected connection is reported to the proxy. Where there are several proxies,
 * each slot has one of them, and reaches no other. Loading the rules replaces earlier ones in one
 * transaction.
 */
export function hostRules({
  installationId,
  block,
  egressProxyCount,
  deniedRanges,
  clientUserId,
}: {
  installationId: string;
  block: NetworkBlock;
  egressProxyCount: number;
  deniedRanges: readonly string[];
  clientUserId: number;
}): string {
  const table = hostTableName(installationId);
  const slots = `"${slotNamePrefix(installationId)}*"`;
  const egress = block.egressAddress;
  const mark = streamMark(installationId);
  const { open, intercepted, allowlisted } = hostInterfaceGroups;
  const proxies = { installationId, block, egressProxyCount };
  const forEachProxy = (rules: (proxy: ProxyOfSlots) => string) =>
    proxiesOfSlots(proxies).map(rules).join("\n");
  return `table inet ${table}
delete table inet ${table}
table inet ${table} {
${slotSets(proxies)}  chain raw {
    type filter hook prerouting priority raw; policy accept;
    iifname ${slots} meta nfproto ipv6 drop
    iifname ${slots} fib saddr . iif oif missing drop
    iifname != { ${slots}, "lo" } ip daddr ${block.cidr} ip saddr ${block.cidr} drop
  }
  chain other_ports {
    type filter hook prerouting priority mangle; policy accept;
${forEachProxy(
  ({ fromItsSlots, ports }) =>
    `    iifgroup ${allowlisted} iifname ${slots} ${fromItsSlots}ip daddr != { ${closedToStreams.join(", ")} } meta l4proto tcp tproxy ip to ${egress}:${ports.streams} meta mark set ${mark} accept`,
)}
  }
${passToOwnProxy(proxies, slots)}  chain input {
    type filter hook input priority filter - 10; policy accept;
    iifname ${slots} goto input_from_slot
    iifname != "lo" ip daddr ${block.cidr} drop
  }
  chain input_from_slot {
    ct direction reply ct state established,related accept
    iifgroup ${allowlisted} meta mark ${mark} meta l4proto tcp accept
${forEachProxy(
  ({ fromItsSlots, logGroup }) =>
    `    iifgroup ${allowlisted} ip daddr != ${egress} ${fromItsSlots}tcp flags & (syn | ack) == syn limit rate 50/second burst 100 packets log group ${logGroup} snaplen 64`,
)}
    iifgroup { ${open}, ${intercepted}, ${allowlisted} } goto to_proxy
    drop
  }
  chain to_proxy {
${forEachProxy(
  ({ fromItsSlots, ports }) => `    ${fromItsSlots}ip daddr ${egress} udp dport ${ports.dns} accept
    ${fromItsSlots}ip daddr ${egress} tcp dport { ${ports.tls}, ${ports.http}, ${ports.dns}, ${metadataService.port} } accept`,
)}
    ip daddr ${egress} meta l4proto icmp ct state related accept
    meta l4proto tcp reject with tcp reset
    reject with icmpx admin-prohibited
  }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname ${slots} oifname ${slots} drop
    iifname ${slots} goto forward_from_slot
    oifname ${slots} ct state established,related accept
    oifname ${slots} drop
  }
  chain forward_from_slot {
    ip daddr { ${specialRanges.join(", ")} } drop
${ipv4Only(deniedRanges)
  .map((range) => `    ip daddr ${range} drop\n`)
  .join("")}    meta l4proto { tcp, udp } th dport 53 drop
    iifgroup ${open} accept
    iifgroup ${intercepted} tcp dport { 80, 443 } drop
    iifgroup ${intercepted} udp dport 443 drop
    iifgroup ${intercepted} accept
    drop
  }
  chain output {
    type filter hook output priority filter - 10; policy accept;
    oifname ${slots} ct state established,related accept
    oifname ${slots} meta skuid ${clientUserId} meta l4proto tcp accept
    oifname ${slots} meta l4proto icmp accept
    oifname ${slots} reject with icmpx admin-prohibited
  }
  chain translate_source {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${block.cidr} oifname != { ${slots}, "lo" } masquerade
  }
}
`;
}
