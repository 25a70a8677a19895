/** The addresses of one slot: a /30 whose two usable addresses are the ends of its veth pair. */
export interface SlotAddresses {
  readonly hostAddress: string;
  /** The source address that the slot gives the guest's packets, which identifies the sandbox. */
  readonly slotAddress: string;
}

/** An installation's part of 198.18.0.0/15: the egress address, then one /30 for each slot. */
export interface NetworkBlock {
  readonly cidr: string;
  /** First usable address of the block, where the egress proxy listens. */
  readonly egressAddress: string;
  readonly slotCount: number;
  /** @throws {RangeError} when the index is not below `slotCount`. */
  slotAddresses(index: number): SlotAddresses;
}

/** An interface name has three digits for the slot. */
const slotCountMax = 1000;

/**
 * Parses a block such as `198.18.4.0/22`.
 *
 * @throws {RangeError} for anything but an aligned IPv4 block of /16 to /29.
 */
export function parseNetworkBlock(cidr: string): NetworkBlock {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  const [a, b, c, d, prefixLength] = (match ?? []).slice(1).map(Number);
  if (
    a === undefined ||
    b === undefined ||
    c === undefined ||
    d === undefined ||
    prefixLength === undefined ||
    Math.max(a, b, c, d) > 255
  ) {
    throw new RangeError(`Network block must look like 198.18.4.0/22, got ${JSON.stringify(cidr)}`);
  }
  if (prefixLength < 16 || prefixLength > 29) {
    throw new RangeError(`Network block must be a /16 to /29, got ${cidr}`);
  }
  const size = 2 ** (32 - prefixLength);
  const base = ((a * 256 + b) * 256 + c) * 256 + d;
  if (base % size !== 0) {
    throw new RangeError(`Network block must start at a multiple of its size, got ${cidr}`);
  }
  const slotCount = Math.min(size / 4 - 1, slotCountMax);
  return {
    cidr,
    egressAddress: formatAddress(base + 1),
    slotCount,
    slotAddresses(index) {
      if (!Number.isInteger(index) || index < 0 || index >= slotCount) {
        throw new RangeError(`Slot index must be below ${slotCount}, got ${index}`);
      }
      const start = base + 4 + index * 4;
      return { hostAddress: formatAddress(start + 1), slotAddress: formatAddress(start + 2) };
    },
  };
}

function formatAddress(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join(".");
}
