import { readdir } from "node:fs/promises";
import { guestNetwork } from "@opencomputer/protocol/wire";
import pLimit from "p-limit";
import { z } from "zod";
import { hasCode } from "../process/process-identity.ts";
import { runProgram } from "../process/run-program.ts";
import { hostInterfaceGroups } from "./host-rules.ts";
import type { NetworkBlock } from "./network-block.ts";
import { type Slot, slotAt, slotInterfaces, slotNamePrefix } from "./slot.ts";
import { type SlotMode, slotRules } from "./slot-rules.ts";

/** The hardware address of the gateway, the same in every slot: a restored guest has it in its neighbor table. */
const gatewayMacAddress = "02:6f:63:00:00:01";
const namespaceDirectory = "/run/netns";
const linksSchema = z.array(z.object({ ifname: z.string() }));

/** The slots of the installation that exist on the host, by their index. */
export interface SlotHost {
  listSlots(): Promise<number[]>;
  /** Creates a slot in mode `closed`, and replaces one that exists. */
  openSlot(index: number): Promise<null>;
  setSlotMode(index: number, mode: SlotMode, ports: number[]): Promise<null>;
  /** Removes slots. A slot that does not exist is no error. */
  closeSlots(indexes: number[]): Promise<null>;
}

/** Creates and removes slots on the host, as root. */
export function createSlotHost(options: {
  installationId: string;
  block: NetworkBlock;
  /** Ranges that no guest may reach, besides the special ones. */
  deniedRanges: readonly string[];
}): SlotHost {
  const { installationId, block, deniedRanges } = options;
  // The kernel changes interfaces under a single lock, so one change at a time is no slower.
  const changes = pLimit(1);

  function slotOf(index: number): Slot {
    if (index < block.slotCount) return slotAt(installationId, block, index);
    throw new RangeError(
      `Slot ${index} does not exist: ${block.cidr} has the slots 0 to ${block.slotCount - 1}`,
    );
  }

  return {
    async listSlots() {
      const prefix = slotNamePrefix(installationId);
      const names = new Set([...(await namespaceNames()), ...(await vethNames())]);
      return [...names]
        .filter((name) => name.startsWith(prefix))
        .map((name) => Number(name.slice(prefix.length)));
    },
    async openSlot(index) {
      const slot = slotOf(index);
      try {
        await changes(async () => {
          await removeFromHost([slot.name]);
          await addToHost(slot);
        });
        return null;
      } catch (error) {
        await changes(() => removeFromHost([slot.name]));
        throw new Error(`Network slot ${slot.name} could not be created`, { cause: error });
      }
    },
    async setSlotMode(index, mode, ports) {
      const slot = slotOf(index);
      const namespace = `--net=${namespaceDirectory}/${slot.name}`;
      const group = String(hostInterfaceGroups[mode]);
      await Promise.all([
        runProgram("nsenter", [namespace, "nft", "-f", "-"], {
          input: slotRules(slot, mode, deniedRanges, ports),
        }),
        runProgram("ip", ["link", "set", "dev", slot.name, "group", group]),
      ]);
      return null;
    },
    async closeSlots(indexes) {
      const names = indexes.map((index) => slotOf(index).name);
      await changes(() => removeFromHost(names));
      return null;
    },
  };
}

async function addToHost(slot: Slot): Promise<void> {
  await runProgram("ip", ["-batch", "-"], {
    input: `netns add ${slot.name}
link add ${slot.name} type veth peer name ${slotInterfaces.host} netns ${slot.name}
addr add ${slot.hostAddress}/30 dev ${slot.name}
link set ${slot.name} addrgenmode none
link set ${slot.name} up
`,
  });
  await runProgram("nsenter", [`--net=${namespaceDirectory}/${slot.name}`, "/bin/sh", "-e"], {
    input: namespaceScript(slot),
  });
}

/**
 * The script that sets up a slot's namespace. Rules are loaded first: no
 * interface is up without them. A segment outside of its connection's window is
 * left to that connection: counted as invalid, it would be rejected with a reset.
 */
function namespaceScript(slot: Slot): string {
  return `nft -f - <<'END'
${slotRules(slot, "closed", [])}
END
if [ -e /proc/sys/net/ipv6 ]; then
  echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
  echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
fi
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal
ip -batch - <<'END'
tuntap add dev ${slotInterfaces.guest} mode tap
link set ${slotInterfaces.guest} address ${gatewayMacAddress} up
link set ${slotInterfaces.host} up
addr add ${guestNetwork.gatewayAddress}/${guestNetwork.prefixLength} dev ${slotInterfaces.guest}
addr add ${slot.slotAddress}/30 dev ${slotInterfaces.host}
route add default via ${slot.hostAddress}
neigh add ${guestNetwork.guestAddress} lladdr ${guestNetwork.guestMacAddress} dev ${slotInterfaces.guest} nud permanent
END
`;
}

async function removeFromHost(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const namespaces = new Set(await namespaceNames());
  const links = new Set(await vethNames());
  const lines = names.flatMap((name) => [
    ...(links.has(name) ? [`link del ${name}`] : []),
    ...(namespaces.has(name) ? [`netns del ${name}`] : []),
  ]);
  if (lines.length > 0) await runProgram("ip", ["-batch", "-"], { input: `${lines.join("\n")}\n` });
}

async function namespaceNames(): Promise<string[]> {
  try {
    return await readdir(namespaceDirectory);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

async function vethNames(): Promise<string[]> {
  const output = await runProgram("ip", ["-json", "link", "show", "type", "veth"]);
  return linksSchema.parse(JSON.parse(output === "" ? "[]" : output)).map((link) => link.ifname);
}
