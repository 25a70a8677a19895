import { egressPorts, metadataService } from "@opencomputer/protocol";
import type { NetworkBlock } from "./network-block.ts";
import { slotNamePrefix } from "./slot.ts";
import type { SlotMode } from "./slot-rules.ts";
import { ipv4Only, specialRanges } from "./special-ranges.ts";

/** Name of the installation's table on the host. */
export function hostTableName(installationId: string): string {
  return `opencomputer_${installationId}`;
}

/**
 * Group of the host's end of a slot's veth pair: how the host's rules know the
 * slot's mode. It is a property of the interface, changed by one call of the
 * kernel. It stays when the rules are loaded again or the worker restarts, and
 * ends with the slot: an interface is made in group 0, which is `closed`.
 */
export const hostInterfaceGroups: Readonly<Record<SlotMode, number>> = {
  closed: 0,
  open: 0x6f630001,
  intercepted: 0x6f630002,
  allowlisted: 0x6f630003,
};

/**
 * The host's side of the slots' rules. It holds every packet that comes from a
 * slot to the mode of that slot, as the slot's own rules do, so that a flaw in
 * one side is caught by the other: whoever sends it, the guest or code that
 * broke out into QEMU. In no mode do packets reach another slot, or a service
 * of the host other than the proxy and the metadata service. Only the worker may connect to
 * guests. Loading the rules replaces the ones before in one transaction.
 */
export function hostRules({
  installationId,
  block,
  deniedRanges,
  clientUserId,
}: {
  installationId: string;
  block: NetworkBlock;
  deniedRanges: readonly string[];
  clientUserId: number;
}): string {
  const table = hostTableName(installationId);
  const slots = `"${slotNamePrefix(installationId)}*"`;
  const egress = block.egressAddress;
  const { open, intercepted, allowlisted } = hostInterfaceGroups;
  return `table inet ${table}
delete table inet ${table}
table inet ${table} {
  chain raw {
    type filter hook prerouting priority raw; policy accept;
    iifname ${slots} meta nfproto ipv6 drop
    iifname ${slots} fib saddr . iif oif missing drop
    iifname != { ${slots}, "lo" } ip daddr ${block.cidr} ip saddr ${block.cidr} drop
  }
  chain input {
    type filter hook input priority filter - 10; policy accept;
    iifname ${slots} goto input_from_slot
    iifname != "lo" ip daddr ${block.cidr} drop
  }
  chain input_from_slot {
    ct direction reply ct state established,related accept
    iifgroup { ${open}, ${intercepted}, ${allowlisted} } goto to_proxy
    drop
  }
  chain to_proxy {
    ip daddr ${egress} udp dport ${egressPorts.dns} accept
    ip daddr ${egress} tcp dport { ${egressPorts.tls}, ${egressPorts.http}, ${egressPorts.dns}, ${metadataService.port} } accept
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
