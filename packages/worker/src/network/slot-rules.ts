import {
  type EgressMode,
  egressPorts,
  guestNetwork,
  limits,
  metadataService,
} from "@opencomputer/protocol";
import type { Slot } from "./slot.ts";
import { slotInterfaces } from "./slot.ts";
import { ipv4Only, specialRanges } from "./special-ranges.ts";

/**
 * `closed`: no sandbox owns the slot, and nothing leaves it, not even a question
 * to the resolver. What is sent is lost, not refused: who sends it may do so
 * again when the slot is a sandbox's.
 */
export type SlotMode = EgressMode | "closed";

const guest = `iifname "${slotInterfaces.guest}"`;
const toGuest = `oifname "${slotInterfaces.guest}"`;

/**
 * The nftables rules inside a slot's namespace: where the packets of its guest
 * may go. The host holds them to the same mode once more, see `hostRules`.
 * Loading them replaces the ones before in one transaction, so there is no
 * moment without rules.
 *
 * A restored guest may send on connections that it had in another slot. The
 * host may still know their flow, and the server may still wait: picked up
 * in their middle (Linux does so) they would go on, in each of several forks.
 * So a segment of TCP that neither opens a connection nor belongs to one of
 * this slot is answered by a reset, once the slot is a sandbox's.
 *
 * The host's end of the slot reaches every TCP port of the guest: the agent,
 * and servers that a preview shows.
 *
 * What the slot itself sends goes to its guest alone: replies, resets and
 * refusals. Those of a packet that belongs to no connection belong to none
 * either. Code that broke out of the guest runs here, as QEMU's user; its
 * packets are nobody's replies, and none of them leaves by the host's side.
 */
export function slotRules(slot: Slot, mode: SlotMode, deniedRanges: readonly string[]): string {
  return `table inet slot
delete table inet slot
table inet slot {
  chain raw {
    type filter hook prerouting priority raw; policy accept;
    ${guest} meta nfproto ipv6 drop
    ${guest} ip saddr != ${guestNetwork.guestAddress} drop
  }
  chain translate_destination {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "${slotInterfaces.host}" ip saddr ${slot.hostAddress} ip daddr ${slot.slotAddress} meta l4proto tcp dnat ip to ${guestNetwork.guestAddress}
${indent(redirections(slot.egressAddress, mode))}
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "${slotInterfaces.host}" ct status dnat ip saddr ${slot.hostAddress} ip daddr ${guestNetwork.guestAddress} meta l4proto tcp accept
    ${guest} ct state invalid jump refuse
    ${guest} ct state new tcp flags & (fin | syn | rst | ack) != syn jump refuse
    ${guest} ct state new ct count over ${limits.networkConnectionsPerSandboxMax} jump refuse
${indent(openings(slot.egressAddress, mode, deniedRanges))}
    ${guest} jump refuse
  }
  chain refuse {
${indent(mode === "closed" ? ["drop"] : refusals)}
  }
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    ${guest} ip daddr ${guestNetwork.gatewayAddress} icmp type echo-request accept
    ${guest} jump refuse
  }
  chain output {
    type filter hook output priority filter; policy drop;
    ${toGuest} ct state established,related accept
    ${toGuest} tcp flags & rst == rst accept
    ${toGuest} icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
  }
  chain translate_source {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "${slotInterfaces.host}" snat ip to ${slot.slotAddress}
  }
}
`;
}

const refusals = ["meta l4proto tcp reject with tcp reset", "reject with icmp admin-prohibited"];

function redirections(egressAddress: string, mode: SlotMode): string[] {
  if (mode === "closed") return [];
  const only = mode === "open" ? `ip daddr ${guestNetwork.gatewayAddress} ` : "";
  return [
    `${guest} ip daddr ${metadataService.address} tcp dport 80 dnat ip to ${egressAddress}:${metadataService.port}`,
    `${guest} udp dport 53 dnat ip to ${egressAddress}:${egressPorts.dns}`,
    `${guest} tcp dport 53 dnat ip to ${egressAddress}:${egressPorts.dns}`,
    `${guest} ${only}tcp dport 443 dnat ip to ${egressAddress}:${egressPorts.tls}`,
    `${guest} ${only}tcp dport 80 dnat ip to ${egressAddress}:${egressPorts.http}`,
  ];
}

function openings(
  egressAddress: string,
  mode: SlotMode,
  deniedRanges: readonly string[],
): string[] {
  if (mode === "closed") return [];
  const toProxy = [
    `${guest} ct status dnat ip daddr ${egressAddress} udp dport ${egressPorts.dns} accept`,
    `${guest} ct status dnat ip daddr ${egressAddress} tcp dport { ${egressPorts.tls}, ${egressPorts.http}, ${egressPorts.dns}, ${metadataService.port} } accept`,
  ];
  if (mode === "allowlisted") return toProxy;
  return [
    ...toProxy,
    `${guest} ip daddr { ${specialRanges.join(", ")} } jump refuse`,
    ...ipv4Only(deniedRanges).map((range) => `${guest} ip daddr ${range} jump refuse`),
    // QUIC would carry HTTPS past the proxy: clients fall back to TCP once it is refused.
    ...(mode === "intercepted" ? [`${guest} udp dport 443 jump refuse`] : []),
    `${guest} accept`,
  ];
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `    ${line}`).join("\n");
}
