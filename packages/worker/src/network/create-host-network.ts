import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { z } from "zod";
import { runProgram } from "../process/run-program.ts";
import { hostRules, hostTableName } from "./host-rules.ts";
import type { NetworkBlock } from "./network-block.ts";

const forwardingPath = "/proc/sys/net/ipv4/ip_forward";

/** What all slots of an installation share on the host: its rules, the egress address, forwarding. */
export interface HostNetwork {
  /** Doing it again is no error. */
  setUp(): Promise<void>;
  /** Takes back all that `setUp` did. */
  tearDown(): Promise<void>;
}

/**
 * `markerPath` is a file that says that forwarding was off before: it outlives
 * a killed worker, and not a reboot.
 */
export function createHostNetwork(options: {
  installationId: string;
  block: NetworkBlock;
  /** Ranges that no guest reaches, besides the special ones. */
  deniedRanges: readonly string[];
  /** The user that connects to guests: the worker's. */
  clientUserId: number;
  markerPath: string;
}): HostNetwork {
  const { installationId, block, deniedRanges, clientUserId, markerPath } = options;
  const table = hostTableName(installationId);
  return {
    async setUp() {
      await runProgram("nft", ["-f", "-"], {
        input: hostRules({ installationId, block, deniedRanges, clientUserId }),
      });
      await runProgram("ip", ["addr", "replace", `${block.egressAddress}/32`, "dev", "lo"]);
      if ((await readFile(forwardingPath, "utf8")).trim() === "0") {
        await writeFile(markerPath, "off\n");
        await writeFile(forwardingPath, "1");
      }
    },
    async tearDown() {
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

const interfacesSchema = z.array(
  z.object({ addr_info: z.array(z.object({ local: z.string().optional() })) }),
);

async function hasAddress(address: string): Promise<boolean> {
  const output = await runProgram("ip", ["-json", "-4", "addr", "show", "dev", "lo"]);
  const interfaces = interfacesSchema.parse(JSON.parse(output));
  return interfaces.some(({ addr_info }) => addr_info.some(({ local }) => local === address));
}
