import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, describe, test } from "node:test";
import {
  attachStandInGuest,
  type StandInGuest,
  serveStreams,
  testInstallation,
} from "../testing/network-scene.ts";
import { createHostNetwork } from "./create-host-network.ts";
import { createSlotHost } from "./create-slot-host.ts";
import { createSlots } from "./create-slots.ts";
import { parseNetworkBlock } from "./network-block.ts";
import type { Slot } from "./slot.ts";

const { installationId, block: cidr } = await testInstallation();
const block = parseNetworkBlock(cidr);
const publicAddress = `44.132.${randomInt(256)}.9`;

/** Where connections of a guest go whose allowlist opens port 8022. */
const table: [address: string, port: number, outcome: "reached" | "refused"][] = [
  [publicAddress, 8022, "reached"],
  // The resolver gives it to a name without an address of its own.
  ["169.254.1.9", 8022, "reached"],
  [publicAddress, 8023, "refused"],
  [publicAddress, 22, "refused"],
  ["10.77.0.9", 8022, "refused"],
  ["127.0.0.1", 8023, "refused"],
  ["169.254.0.1", 8022, "refused"],
  ["169.254.169.254", 8022, "refused"],
  [block.egressAddress, 8022, "refused"],
  [block.egressAddress, 8444, "refused"],
];

describe("other ports of an allowlist", () => {
  const slots = createSlots({
    installationId,
    block,
    host: createSlotHost({ installationId, block, deniedRanges: [] }),
  });
  const hostNetwork = createHostNetwork({
    egressProxyCount: 1,
    clientUserId: 0,
    deniedRanges: [],
    installationId,
    block,
    markerPath: `/run/opencomputer-${installationId}-forwarding`,
  });
  let slot: Slot;
  let guest: StandInGuest;
  let proxy: Awaited<ReturnType<typeof serveStreams>>;

  before(async () => {
    await hostNetwork.setUp();
    // What a restarted worker does.
    await hostNetwork.setUp();
    proxy = await serveStreams(block.egressAddress);
    slot = await slots.open();
    guest = await attachStandInGuest(slot);
  });
  after(async () => {
    proxy.close();
    await guest.close();
    await slots.close(slot);
    await hostNetwork.tearDown();
  });

  for (const [address, port, outcome] of table) {
    test(`tcp ${address}:${port} is ${outcome}`, async () => {
      await slots.setMode(slot, "allowlisted", [8022]);
      assert.equal(await guest.tcp(address, port), outcome);
      if (outcome === "reached") {
        assert.equal(await proxy.nextCaller(), `${address}:${port} from ${slot.slotAddress}`);
      }
    });
  }

  test("without the port in the allowlist, and in a closed slot, nothing reaches the proxy", async () => {
    await slots.setMode(slot, "allowlisted", []);
    assert.equal(await guest.tcp(publicAddress, 8022), "refused");
    await slots.setMode(slot, "closed", [8022]);
    assert.equal(await guest.tcp(publicAddress, 8022), "silent");
  });
});
