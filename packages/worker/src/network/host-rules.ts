import { agentPort, egressPorts } from "@opencomputer/protocol";
import type { NetworkBlock } from "./network-block.ts";
import { slotNamePrefix } from "./slot.ts";
import { specialRanges } from "./special-ranges.ts";

/** Name of the installation's table on the host. */
export function hostTableName(installationId: string): string {
  return `opencomputer_${installationId}`;
}

/**
 * The host's side of the slots' rules. A slot's packets reach the proxy's
 * three ports and, by NAT, the public internet; never another slot, and never
 * a service of the host. Only root may call the agents. Loading the rules
 * replaces the ones before in one transaction.
 */
export function hostRules(installationId: string, block: NetworkBlock): string {
  const table = hostTableName(installationId);
  const slots = `"${slotNamePrefix(installationId)}*"`;
  const egress = block.egressAddress;
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
    iifname ${slots} ct state established,related accept
    iifname ${slots} ip daddr ${egress} udp dport ${egressPorts.dns} accept
    iifname ${slots} ip daddr ${egress} tcp dport { ${egressPorts.tls}, ${egressPorts.http}, ${egressPorts.dns} } accept
    iifname ${slots} meta l4proto tcp reject with tcp reset
    iifname ${slots} reject with icmpx admin-prohibited
    iifname != "lo" ip daddr ${block.cidr} drop
  }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    oifname ${slots} ct state established,related accept
    oifname ${slots} drop
    iifname ${slots} ip daddr { ${specialRanges.join(", ")} } drop
  }
  chain output {
    type filter hook output priority filter - 10; policy accept;
    oifname ${slots} ct state established,related accept
    oifname ${slots} meta skuid 0 tcp dport ${agentPort} accept
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
