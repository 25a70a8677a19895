import {
  type EgressPorts,
  egressPorts,
  egressPortsOf,
  egressProxyOf,
  refusalLogGroup,
} from "@opencomputer/protocol/wire";
import type { NetworkBlock } from "./network-block.ts";

/** One of the egress proxies of a host, as the host's rules see it. */
export interface ProxyOfSlots {
  /** Matches what comes from the slots that it serves: empty when it is the only one, which serves all. */
  readonly fromItsSlots: string;
  readonly ports: EgressPorts;
  /** Where it reads which connections were rejected. */
  readonly logGroup: number;
}

interface EgressProxies {
  readonly installationId: string;
  readonly block: NetworkBlock;
  /** How many there are, at least 1. */
  readonly egressProxyCount: number;
}

/** The egress proxies of a host, in the order of their indexes. */
export function proxiesOfSlots({ installationId, egressProxyCount }: EgressProxies) {
  return indexes(egressProxyCount).map(
    (index): ProxyOfSlots => ({
      fromItsSlots: egressProxyCount === 1 ? "" : `ip saddr @${setName(index)} `,
      ports: egressPortsOf(index),
      logGroup: refusalLogGroup(installationId, index),
    }),
  );
}

/** The sets of source addresses of each proxy's slots; empty for a single one. */
export function slotSets({ block, egressProxyCount }: EgressProxies): string {
  if (egressProxyCount === 1) return "";
  const addresses = indexes(egressProxyCount).map((): string[] => []);
  for (let slot = 0; slot < block.slotCount; slot += 1) {
    const { slotAddress } = block.slotAddresses(slot);
    addresses[egressProxyOf(slotAddress, egressProxyCount)]?.push(slotAddress);
  }
  return addresses
    .map((own, index) => {
      // A small block may have fewer slots than there are proxies.
      const elements = own.length === 0 ? "" : ` elements = { ${own.join(", ")} };`;
      return `  set ${setName(index)} { type ipv4_addr;${elements} }\n`;
    })
    .join("");
}

/**
 * The chains that pass connections to the proxy's ports on to the slot's own proxy; empty for
 * a single one, which has these ports.
 *
 * The kernel keeps where it sent a flow for as long as the flow lasts. After a start with
 * another number of proxies, a guest that goes on to ask the resolver from the same port
 * would still be sent to the former one. Each number has its own zone of such flows.
 */
export function passToOwnProxy(options: EgressProxies, slots: string): string {
  const { block, egressProxyCount } = options;
  if (egressProxyCount === 1) return "";
  const egress = block.egressAddress;
  const passed = proxiesOfSlots(options)
    .slice(1)
    .flatMap(({ fromItsSlots, ports }) =>
      [
        `tcp dport ${egressPorts.tls} dnat ip to ${egress}:${ports.tls}`,
        `tcp dport ${egressPorts.http} dnat ip to ${egress}:${ports.http}`,
        `tcp dport ${egressPorts.dns} dnat ip to ${egress}:${ports.dns}`,
        `udp dport ${egressPorts.dns} dnat ip to ${egress}:${ports.dns}`,
      ].map((rule) => `    iifname ${slots} ip daddr ${egress} ${fromItsSlots}${rule}\n`),
    );
  return `  chain zone_of_requests {
    type filter hook prerouting priority raw; policy accept;
    iifname ${slots} ip daddr ${egress} ct zone set ${egressProxyCount}
  }
  chain zone_of_replies {
    type filter hook output priority raw; policy accept;
    oifname ${slots} ip saddr ${egress} ct zone set ${egressProxyCount}
  }
  chain own_proxy {
    type nat hook prerouting priority dstnat; policy accept;
${passed.join("")}  }
`;
}

function setName(index: number): string {
  return `slots_of_proxy_${index + 1}`;
}

function indexes(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
