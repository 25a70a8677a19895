import type { SlotHost } from "./create-slot-host.ts";
import type { NetworkBlock } from "./network-block.ts";
import { type Slot, slotAt } from "./slot.ts";
import type { SlotMode } from "./slot-rules.ts";

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
    throw new Error(
      `All ${block.slotCount} network slots of ${block.cidr} are taken: kill sandboxes or give the installation a larger block`,
    );
  }

  return {
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
    async setMode({ index }, mode) {
      await host.setSlotMode(index, mode);
    },
    async close(slot) {
      await host.closeSlots([slot.index]);
      taken.delete(slot.index);
    },
    async closeStrays() {
      await host.closeSlots((await host.listSlots()).filter((index) => !taken.has(index)));
    },
    async avoidStrays() {
      for (const index of await host.listSlots()) taken.add(index);
    },
  };
}
