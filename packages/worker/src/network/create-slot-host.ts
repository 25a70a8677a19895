import { readdir } from "node:fs/promises";
import { guestNetwork } from "@opencomputer/protocol";
import { z } from "zod";
import type { Host } from "../host/host.ts";
import { hasCode } from "../process/process-identity.ts";
import { runProgram } from "../process/run-program.ts";
import { createTurns } from "../turns.ts";
import { hostInterfaceGroups } from "./host-rules.ts";
import type { NetworkBlock } from "./network-block.ts";
import { type Slot, slotAt, slotInterfaces, slotNamePrefix } from "./slot.ts";
import { slotRules } from "./slot-rules.ts";

/** The gateway's own hardware address, the same in every slot: a restored guest knows it already. */
const gatewayMacAddress = "02:6f:63:00:00:01";
const namespaceDirectory = "/run/netns";
const linksSchema = z.array(z.object({ ifname: z.string() }));

export type SlotHost = Pick<Host, "listSlots" | "openSlot" | "setSlotMode" | "closeSlots">;

/** Slots as they are made on the host, by root. */
export function createSlotHost(options: {
  installationId: string;
  block: NetworkBlock;
  /** Ranges that no guest reaches, besides the special ones. */
  deniedRanges: readonly string[];
}): SlotHost {
  const { installationId, block, deniedRanges } = options;
  // Interfaces appear and vanish under the kernel's one lock: doing it one at a time is no slower.
  const changes = createTurns();

  function slotOf(index: number): Slot {
    if (index < block.slotCount) return slotAt(installationId, block, index);
    throw new RangeError(
      `There is no slot ${index}: ${block.cidr} has the slots 0 to ${block.slotCount - 1}`,
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
        await changes.take(async () => {
          await removeFromHost([slot.name]);
          await addToHost(slot);
        });
        return null;
      } catch (error) {
        await changes.take(() => removeFromHost([slot.name]));
        throw new Error(`Network slot ${slot.name} could not be made`, { cause: error });
      }
    },
    async setSlotMode(index, mode) {
      const slot = slotOf(index);
      const namespace = `--net=${namespaceDirectory}/${slot.name}`;
      const group = String(hostInterfaceGroups[mode]);
      await Promise.all([
        runProgram("nsenter", [namespace, "nft", "-f", "-"], {
          input: slotRules(slot, mode, deniedRanges),
        }),
        runProgram("ip", ["link", "set", "dev", slot.name, "group", group]),
      ]);
      return null;
    },
    async closeSlots(indexes) {
      const names = indexes.map((index) => slotOf(index).name);
      await changes.take(() => removeFromHost(names));
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
 * Rules come first: no interface is up before they hold. A segment that is out
 * of its connection's window is that connection's matter: called invalid, it
 * would be answered by a reset.
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
