import { execFile } from "node:child_process";
import { BlockList, isIPv4 } from "node:net";
import { promisify } from "node:util";
import { z } from "zod";

/** Size of a block of 198.18.0.0/15, which is reserved for benchmarks (RFC 2544), so that no real network uses it. */
const blockPrefixLength = 22;
const blockCount = 128;

const routesSchema = z.array(z.object({ dst: z.string().optional() }));

/** The network of the n-th block, such as `198.18.4.0/22`. */
export function networkBlock(index: number): string {
  const firstThird = (index * 4) % 256;
  return `198.${18 + Math.floor((index * 4) / 256)}.${firstThird}.0/${blockPrefixLength}`;
}

/** The address of a block at which its guests find the egress proxy. */
export function egressAddressOf(block: string): string {
  return block.replace(/\.0\/\d+$/, ".1");
}

/**
 * Chooses the block of an installation: the one that its id selects, or the
 * next one that no route of this host overlaps.
 */
export function chooseNetworkBlock(installationId: string, routeDestinations: string[]): string {
  const first = Number.parseInt(installationId, 16) % blockCount;
  for (let offset = 0; offset < blockCount; offset += 1) {
    const block = networkBlock((first + offset) % blockCount);
    if (!routeDestinations.some((destination) => isInside(block, destination))) return block;
  }
  throw new Error(
    `All ${blockCount} network blocks of 198.18.0.0/15 are in use on this host: remove another installation.`,
  );
}

function isInside(block: string, destination: string): boolean {
  const address = destination.split("/")[0] ?? "";
  if (!isIPv4(address)) return false;
  const [network = "", prefixLength] = block.split("/");
  const list = new BlockList();
  list.addSubnet(network, Number(prefixLength), "ipv4");
  return list.check(address, "ipv4");
}

export async function listRouteDestinations(): Promise<string[]> {
  const { stdout } = await promisify(execFile)("ip", "-json -4 route show table all".split(" "));
  return routesSchema.parse(JSON.parse(stdout)).flatMap((route) => route.dst ?? []);
}
