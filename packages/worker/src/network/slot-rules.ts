import {
  type EgressMode,
  egressPorts,
  guestNetwork,
  metadataService,
  serviceLimits,
} from "@opencomputer/protocol/wire";
import type { Slot } from "./slot.ts";
import { slotInterfaces } from "./slot.ts";
import { closedToStreams, ipv4Only, specialRanges } from "./special-ranges.ts";

/**
 * `closed`: no sandbox owns the slot, and nothing leaves it, not even a query to
 * the resolver. Packets are dropped, not rejected: their sender may send them
 * again when a sandbox owns the slot.
 */
export type SlotMode = EgressMode | "closed";

const newConnectionRate = `${serviceLimits.egressNewConnectionsPerSecondMax}/second burst ${serviceLimits.egressNewConnectionsBurstMax} packets`;
const dnsMessageRate = `${serviceLimits.dnsMessagesPerSecondMax}/second burst ${serviceLimits.dnsMessagesBurstMax} packets`;
const guest = `iifname "${slotInterfaces.guest}"`;
const toGuest = `oifname "${slotInterfaces.guest}"`;

/**
 * The nftables rules inside a slot's namespace, which decide where the packets of
 * its guest may go. The host enforces the same mode again, see `hostRules`.
 * Loading them replaces earlier ones in one transaction, so there is no moment
 * without rules.
 *
 * A restored guest may send on connections that it had in another slot. The
 * host may still track them, and the server may still wait: picked up in the
 * middle, as Linux does, they would continue in each of several forks. So a TCP
 * segment that neither opens a connection nor belongs to one of this slot is
 * rejected with a reset, once a sandbox owns the slot.
 *
 * Connections to the proxy have a rate, because accepting and resetting one costs
 * the proxy time that other sandboxes wait for. So do messages to its resolver over UDP,
 * also those of one flow: all sandboxes share the queue in which they arrive.
 *
 * The host's end of the slot reaches every TCP port of the guest: the agent,
 * and servers that a preview shows.
 *
 * The slot itself may send only to its guest: replies, resets and rejections.
 * A rejection of a packet of no connection belongs to no connection either.
 * Code that broke out of the guest runs here, as QEMU's user; its packets are
 * not replies, and none of them leaves through the host's side.
 */
export function slotRules(
  slot: Slot,
  mode: SlotMode,
  deniedRanges: readonly string[],
  ports: readonly number[] = [],
): string {
  const opened = mode === "allowlisted" ? ports.filter((port) => !proxiedPorts.has(port)) : [];
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
${indent(redirections(slot, mode, opened))}
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ${guest} ip daddr ${slot.egressAddress} udp dport ${egressPorts.dns} limit rate over ${dnsMessageRate} drop
    ct state established,related accept
    iifname "${slotInterfaces.host}" ct status dnat ip saddr ${slot.hostAddress} ip daddr ${guestNetwork.guestAddress} meta l4proto tcp accept
    ${guest} ct state invalid jump refuse
    ${guest} ct state new tcp flags & (fin | syn | rst | ack) != syn jump refuse
    ${guest} ct state new ct count over ${serviceLimits.networkConnectionsPerSandboxMax} jump refuse
    ${guest} ct state new ip daddr ${slot.egressAddress} meta l4proto tcp limit rate over ${newConnectionRate} jump refuse
${indent(openings(slot, mode, deniedRanges, opened))}
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

/** What a rule of its own sends to the proxy. */
const proxiedPorts: ReadonlySet<number> = new Set([443, 80, 53]);

function redirections(
  { egressAddress, hostAddress }: Slot,
  mode: SlotMode,
  opened: readonly number[],
): string[] {
  if (mode === "closed") return [];
  const only = mode === "open" ? `ip daddr ${guestNetwork.gatewayAddress} ` : "";
  return [
    `${guest} ip daddr ${metadataService.address} tcp dport 80 dnat ip to ${egressAddress}:${metadataService.port}`,
    `${guest} udp dport 53 dnat ip to ${egressAddress}:${egressPorts.dns}`,
    `${guest} tcp dport 53 dnat ip to ${egressAddress}:${egressPorts.dns}`,
    `${guest} ${only}tcp dport 443 dnat ip to ${egressAddress}:${egressPorts.tls}`,
    `${guest} ${only}tcp dport 80 dnat ip to ${egressAddress}:${egressPorts.http}`,
    ...(mode === "allowlisted" ? otherPorts(hostAddress, opened) : []),
  ];
}

/**
 * Open ports keep their address, by which the proxy knows what is meant: the host gives
 * it each such connection. All others go to the host's end of the slot, which
 * rejects and reports them.
 */
function otherPorts(hostAddress: string, opened: readonly number[]): string[] {
  return [
    ...(opened.length === 0 ? [] : [`${toOpenPort(opened)} accept`]),
    `${guest} meta l4proto tcp dnat ip to ${hostAddress}`,
  ];
}

function toOpenPort(opened: readonly number[]): string {
  return `${guest} ip daddr != { ${closedToStreams.join(", ")} } tcp dport { ${opened.join(", ")} }`;
}

function openings(
  { egressAddress, hostAddress }: Slot,
  mode: SlotMode,
  deniedRanges: readonly string[],
  opened: readonly number[],
): string[] {
  if (mode === "closed") return [];
  const toProxy = [
    `${guest} ct status dnat ip daddr ${egressAddress} udp dport ${egressPorts.dns} accept`,
    `${guest} ct status dnat ip daddr ${egressAddress} tcp dport { ${egressPorts.tls}, ${egressPorts.http}, ${egressPorts.dns}, ${metadataService.port} } accept`,
  ];
  if (mode === "allowlisted") {
    return [
      ...toProxy,
      `${guest} ct status dnat ip daddr ${hostAddress} meta l4proto tcp accept`,
      ...(opened.length === 0
        ? []
        : [
            `${toOpenPort(opened)} ct state new limit rate over ${newConnectionRate} jump refuse`,
            `${toOpenPort(opened)} accept`,
          ]),
    ];
  }
  return [
    ...toProxy,
    `${guest} ip daddr { ${specialRanges.join(", ")} } jump refuse`,
    ...ipv4Only(deniedRanges).map((range) => `${guest} ip daddr ${range} jump refuse`),
    // QUIC would bypass the proxy: clients fall back to TCP when it is rejected.
    ...(mode === "intercepted" ? [`${guest} udp dport 443 jump refuse`] : []),
    `${guest} accept`,
  ];
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `    ${line}`).join("\n");
}
