import { egressPorts } from "./egress.ts";

/** Between the ports of one egress proxy and those of the next: no port of two of them is the same. */
const portDistance = 10;
/** A slot's addresses are a /30 of their own. */
const addressesPerSlot = 4;

/** Where one egress proxy listens for the guests that it serves. */
export type EgressPorts = Readonly<Record<keyof typeof egressPorts, number>>;

/**
 * The ports of the `index`-th egress proxy of a host, from 0. Slots send everything to
 * those of the first, {@link egressPorts}, and the host passes it on to the slot's own proxy.
 */
export function egressPortsOf(index: number): EgressPorts {
  const { tls, http, streams, dns } = egressPorts;
  const offset = index * portDistance;
  return { tls: tls + offset, http: http + offset, streams: streams + offset, dns: dns + offset };
}

/** The name of the `index`-th egress proxy of a host, from 0, in states, logs and paths. */
export function egressProxyName(index: number): string {
  return index === 0 ? "egress-proxy" : `egress-proxy-${index + 1}`;
}

/**
 * Which of `count` egress proxies serves an address, from 0: that of its slot, modulo their
 * number. It follows from the address alone, so that the packet filter of the host and the
 * control plane agree, and each address belongs to one proxy.
 */
export function egressProxyOf(sourceAddress: string, count: number): number {
  const number = sourceAddress
    .split(".")
    .reduce((sum, part) => sum * 256 + Number.parseInt(part, 10), 0);
  return Math.floor(number / addressesPerSlot) % count;
}
