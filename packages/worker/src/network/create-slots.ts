import { readdir } from "node:fs/promises";
import { guestNetwork } from "@opencomputer/protocol";
import { z } from "zod";
import { hasCode } from "../process/process-identity.ts";
import { runProgram } from "../process/run-program.ts";
import { createTurns } from "../turns.ts";
import { hostInterfaceGroups } from "./host-rules.ts";
import type { NetworkBlock } from "./network-block.ts";
import { type Slot, slotAt, slotInterfaces, slotNamePrefix } from "./slot.ts";
import { type SlotMode, slotRules } from "./slot-rules.ts";

/** The gateway's own hardware address, the same in every slot: a restored guest knows it already. */
const gatewayMacAddress = "02:6f:63:00:00:01";
const namespaceDirectory = "/run/netns";
const linksSchema = z.array(z.object({ ifname: z.string() }));

/** The network slots of an installation on this host. */
export interface Slots {
  /** Makes a slot in mode `closed`. @throws {Error} when every index is taken. */
  open(): Promise<Slot>;
  /** Takes the slot of a machine that runs already. Its rules stay as they are until `setMode`. */
  adopt(index: number): Slot;
  /**
   * Replaces the rules of a slot, and the mode that the host holds it to. Each
   * side changes at once, and both have to let a packet pass: while they differ,
   * nothing passes that one of the two modes refuses.
   */
  setMode(slot: Slot, mode: SlotMode): Promise<void>;
  /** Removes the slot from the host; its index becomes free. Done already is no error. */
  close(slot: Slot): Promise<void>;
  /** Removes every slot of the installation that is not open here. */
  closeStrays(): Promise<void>;
  /** Leaves those slots as they are, and opens none in their place. */
  avoidStrays(): Promise<void>;
}

export function createSlots(options: {
  installationId: string;
  block: NetworkBlock;
  /** Ranges that no guest reaches, besides the special ones. */
  deniedRanges: readonly string[];
}): Slots {
  const { installationId, block, deniedRanges } = options;
  const taken = new Set<number>();
  // Interfaces appear and vanish under the kernel's one lock: doing it one at a time is no slower.
  const changes = createTurns();

  function takeFreeIndex(): number {
    for (let index = 0; index < block.slotCount; index += 1) {
      if (taken.has(index)) continue;
      taken.add(index);
      return index;
    }
    throw new Error(
      `All ${block.slotCount} network slots of ${block.cidr} are taken: kill sandboxes or give the installation a larger block`,
    );
  }

  return {
    async open() {
      const slot = slotAt(installationId, block, takeFreeIndex());
      try {
        await changes.take(async () => {
          await removeFromHost([slot.name]);
          await addToHost(slot);
        });
        return slot;
      } catch (error) {
        await changes
          .take(() => removeFromHost([slot.name]))
          .finally(() => taken.delete(slot.index));
        throw new Error(`Network slot ${slot.name} could not be made`, { cause: error });
      }
    },
    adopt(index) {
      taken.add(index);
      return slotAt(installationId, block, index);
    },
    async setMode(slot, mode) {
      const namespace = `--net=${namespaceDirectory}/${slot.name}`;
      const group = String(hostInterfaceGroups[mode]);
      await Promise.all([
        runProgram("nsenter", [namespace, "nft", "-f", "-"], {
          input: slotRules(slot, mode, deniedRanges),
        }),
        runProgram("ip", ["link", "set", "dev", slot.name, "group", group]),
      ]);
    },
    async close(slot) {
      await changes.take(() => removeFromHost([slot.name]));
      taken.delete(slot.index);
    },
    async closeStrays() {
      const names = await slotNamesOnHost(slotNamePrefix(installationId));
      const kept = new Set([...taken].map((index) => slotAt(installationId, block, index).name));
      await changes.take(() => removeFromHost([...names].filter((name) => !kept.has(name))));
    },
    async avoidStrays() {
      const prefix = slotNamePrefix(installationId);
      for (const name of await slotNamesOnHost(prefix))
        taken.add(Number(name.slice(prefix.length)));
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

async function slotNamesOnHost(prefix: string): Promise<Set<string>> {
  const names = [...(await namespaceNames()), ...(await vethNames())];
  return new Set(names.filter((name) => name.startsWith(prefix)));
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
