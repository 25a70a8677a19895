import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { z } from "zod";
import { runProgram } from "../process/run-program.ts";
import { hostRules, hostTableName, streamMark } from "./host-rules.ts";
import type { NetworkBlock } from "./network-block.ts";

const forwardingPath = "/proc/sys/net/ipv4/ip_forward";

/** The part of the host's network that all slots of an installation share: rules, egress address, routing of streams, forwarding. */
export interface HostNetwork {
  /** Idempotent. */
  setUp(): Promise<void>;
  /** Undoes everything that `setUp` did. */
  tearDown(): Promise<void>;
}

/**
 * Creates the network of an installation. The file at `markerPath` records that
 * forwarding was off before: it outlives a killed worker, but not a reboot.
 */
export function createHostNetwork(options: {
  installationId: string;
  block: NetworkBlock;
  /** How many egress proxies share the slots. */
  egressProxyCount: number;
  /** Ranges that no guest may reach, besides the special ones. */
  deniedRanges: readonly string[];
  /** The user that connects to guests: the worker's. */
  clientUserId: number;
  markerPath: string;
}): HostNetwork {
  const { installationId, block, markerPath } = options;
  const table = hostTableName(installationId);
  // Delivers marked packets here, whatever their address.
  const mark = String(streamMark(installationId));
  const streamTable = ["table", mark];
  const streamRule = ["fwmark", mark, "lookup", mark];
  return {
    async setUp() {
      await runProgram("nft", ["-f", "-"], { input: hostRules(options) });
      await runProgram("ip", ["addr", "replace", `${block.egressAddress}/32`, "dev", "lo"]);
      await runProgram("ip", ["route", "replace", "local", "default", "dev", "lo", ...streamTable]);
      if (!(await hasRuleFor(mark))) await runProgram("ip", ["rule", "add", ...streamRule]);
      if ((await readFile(forwardingPath, "utf8")).trim() === "0") {
        await writeFile(markerPath, "off\n");
        await writeFile(forwardingPath, "1");
      }
    },
    async tearDown() {
      if (await hasRuleFor(mark)) {
        await runProgram("ip", ["rule", "del", ...streamRule]);
        await runProgram("ip", ["route", "flush", ...streamTable]);
      }
      if (await hasAddress(block.egressAddress)) {
        await runProgram("ip", ["addr", "del", `${block.egressAddress}/32`, "dev", "lo"]);
      }
      await runProgram("nft", ["-f", "-"], {
        input: `table inet ${table}\ndelete table inet ${table}\n`,
      });
      const otherInstallations = /^table inet opencomputer_/m.test(
        await runProgram("nft", ["list", "tables"]),
      );
      if (existsSync(markerPath) && !otherInstallations) await writeFile(forwardingPath, "0");
      await rm(markerPath, { force: true });
    },
  };
}

const rulesSchema = z.array(z.object({ table: z.string().optional() }));

async function hasRuleFor(routingTable: string): Promise<boolean> {
  const rules = rulesSchema.parse(JSON.parse(await runProgram("ip", ["-json", "rule", "list"])));
  return rules.some((rule) => rule.table === routingTable);
}

const interfacesSchema = z.array(
  z.object({ addr_info: z.array(z.object({ local: z.string().optional() })) }),
);

async function hasAddress(address: string): Promise<boolean> {
  const output = await runProgram("ip", ["-json", "-4", "addr", "show", "dev", "lo"]);
  const interfaces = interfacesSchema.parse(JSON.parse(output));
  return interfaces.some(({ addr_info }) => addr_info.some(({ local }) => local === address));
}
