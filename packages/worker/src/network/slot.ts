import type { NetworkBlock } from "./network-block.ts";

/** A place for one virtual machine on the network of its host. Everything is derived from the index. */
export interface Slot {
  readonly index: number;
  /** Name of the network namespace and of the host's end of its veth pair: at most 15 characters. */
  readonly name: string;
  readonly hostAddress: string;
  readonly slotAddress: string;
  readonly egressAddress: string;
  /** The unprivileged user and group that QEMU runs as, only for this slot of this installation. */
  readonly userId: number;
}

/** Inside a slot's namespace: the device facing the guest, and the one facing the host. */
export const slotInterfaces = { guest: "tap0", host: "veth0" } as const;

const userIdBase = 0x2000_0000;
const installationsOfUserIds = 2 ** 18;
const userIdsPerInstallation = 1024;

/** The prefix of the names of an installation's slots on the host. */
export function slotNamePrefix(installationId: string): string {
  return `oc${installationId}-`;
}

/** Derives the slot of an index. */
export function slotAt(installationId: string, block: NetworkBlock, index: number): Slot {
  return {
    index,
    name: `${slotNamePrefix(installationId)}${index}`,
    ...block.slotAddresses(index),
    egressAddress: block.egressAddress,
    userId: firstUserId(installationId) + index,
  };
}

/** Whether a user id belongs to a slot of the installation, even if its block has fewer slots now. */
export function isMachineUser(installationId: string, userId: number): boolean {
  const first = firstUserId(installationId);
  return userId >= first && userId < first + userIdsPerInstallation;
}

function firstUserId(installationId: string): number {
  const installation = Number.parseInt(installationId, 16) % installationsOfUserIds;
  return userIdBase + installation * userIdsPerInstallation;
}
