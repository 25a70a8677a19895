import { WireError } from "@opencomputer/protocol/api";
import type { SlotHost } from "./create-slot-host.ts";
import type { NetworkBlock } from "./network-block.ts";
import { type Slot, slotAt } from "./slot.ts";
import type { SlotMode } from "./slot-rules.ts";

/** The network slots of an installation on this host. */
export interface Slots {
  /** How many indexes are in use. */
  readonly takenCount: number;
  /** Creates a slot in mode `closed`. @throws {WireError} `capacity_exhausted` when every index is in use. */
  open(): Promise<Slot>;
  /** Takes over the slot of a machine that already runs. Its rules stay as they are until `setMode`. */
  adopt(index: number): Slot;
  /**
   * Replaces the rules of a slot, and the mode that the host enforces for it. Each
   * side changes atomically, and both have to let a packet pass: while they
   * differ, only packets pass that both modes allow. `ports` are those besides 443
   * and 80 that an allowlist opens.
   */
  setMode(slot: Slot, mode: SlotMode, ports?: readonly number[]): Promise<void>;
  /** Removes the slot from the host; its index becomes free. Idempotent. */
  close(slot: Slot): Promise<void>;
  /** Removes every slot of the installation that is not open here. */
  closeOrphans(): Promise<void>;
  /** Leaves those slots as they are, and does not use their indexes. */
  avoidOrphans(): Promise<void>;
}

export function createSlots(options: {
  installationId: string;
  block: NetworkBlock;
  host: SlotHost;
}): Slots {
  const { installationId, block, host } = options;
  const taken = new Set<number>();

  function takeFreeIndex(): number {
    for (let index = 0; index < block.slotCount; index += 1) {
      if (taken.has(index)) continue;
      taken.add(index);
      return index;
    }
    throw new WireError(
      "capacity_exhausted",
      `Network slot limit reached: ${taken.size} of ${block.slotCount} slots of this host are in use, one for each running sandbox and each warm machine. Hibernate or kill a sandbox`,
      { remediation: "oc sandbox hibernate <id>, oc kill <id>" },
    );
  }

  return {
    get takenCount() {
      return taken.size;
    },
    async open() {
      const slot = slotAt(installationId, block, takeFreeIndex());
      try {
        await host.openSlot(slot.index);
        return slot;
      } catch (error) {
        taken.delete(slot.index);
        throw error;
      }
    },
    adopt(index) {
      taken.add(index);
      return slotAt(installationId, block, index);
    },
    async setMode({ index }, mode, ports = []) {
      await host.setSlotMode(index, mode, [...ports]);
    },
    async close(slot) {
      await host.closeSlots([slot.index]);
      taken.delete(slot.index);
    },
    async closeOrphans() {
      await host.closeSlots((await host.listSlots()).filter((index) => !taken.has(index)));
    },
    async avoidOrphans() {
      for (const index of await host.listSlots()) taken.add(index);
    },
  };
}
