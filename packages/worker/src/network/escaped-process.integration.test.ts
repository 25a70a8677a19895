import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { egressPorts } from "@opencomputer/protocol/wire";
import { runProgram } from "../process/run-program.ts";
import {
  hostGroupOf,
  reachFromEscapedProcess,
  removeSlotRules,
  type Target,
} from "../testing/escaped-process.ts";
import {
  attachInternet,
  attachStandInGuest,
  serveAsProxy,
  serveInNamespace,
  testInstallation,
} from "../testing/network-scene.ts";
import { createHostNetwork } from "./create-host-network.ts";
import { createSlotHost } from "./create-slot-host.ts";
import { createSlots } from "./create-slots.ts";
import { hostInterfaceGroups, hostTableName } from "./host-rules.ts";
import { parseNetworkBlock } from "./network-block.ts";
import type { Slot } from "./slot.ts";
import type { SlotMode } from "./slot-rules.ts";

const installation = await testInstallation();
const { installationId } = installation;
const block = parseNetworkBlock(installation.block);
const internetName = `inet-${installationId}`;
const scene = randomInt(256);
const hostAddress = `44.132.${scene}.1`;
const publicAddress = `44.134.${scene}.9`;
const privateAddress = `10.78.${scene}.9`;
/** In the range of metadata services, but not the address of the own service. */
const linkLocalAddress = `169.254.${128 + (scene % 32)}.9`;
const agentAddress = block.slotAddresses(1).slotAddress;
const hostService = createServer((socket) => socket.end()).listen(0, "0.0.0.0");
await once(hostService, "listening");
const { port: hostServicePort } = hostService.address() as AddressInfo;

const modes = ["closed", "allowlisted", "intercepted", "open"] as const;
const toProxy = ["allowlisted", "intercepted", "open"] as const;
const beyond = ["intercepted", "open"] as const;

/** The modes in which the host lets a packet of the slot pass. The slot itself lets none pass. */
const targets: (Target & { what: string; passesHost: readonly SlotMode[] })[] = [
  ...[egressPorts.tls, egressPorts.http, egressPorts.dns].map((port) => ({
    ...{ what: "the proxy", protocol: "tcp" as const, address: block.egressAddress, port },
    passesHost: toProxy,
  })),
  {
    ...{ what: "the proxy's resolver", protocol: "udp", passesHost: toProxy },
    ...{ address: block.egressAddress, port: egressPorts.dns },
  },
  ...([443, 80] as const).map((port) => ({
    ...{ what: "a public server", protocol: "tcp" as const, address: publicAddress, port },
    passesHost: ["open"] as const,
  })),
  {
    ...{ what: "a public server", protocol: "tcp", passesHost: beyond },
    ...{ address: publicAddress, port: 8022 },
  },
  {
    ...{ what: "QUIC", protocol: "udp", passesHost: ["open"] },
    ...{ address: publicAddress, port: 443 },
  },
  {
    ...{ what: "a public server", protocol: "udp", passesHost: beyond },
    ...{ address: publicAddress, port: 8022 },
  },
  { what: "a public server", protocol: "icmp", address: publicAddress, passesHost: beyond },
  ...(["tcp", "udp"] as const).map((protocol) => ({
    ...{ what: "another resolver", protocol, address: publicAddress, port: 53 },
    passesHost: [],
  })),
  ...[
    ["a private server", privateAddress],
    ["a link-local server", linkLocalAddress],
  ].flatMap(([what = "", address = ""]) => [
    { what, protocol: "tcp" as const, address, port: 8022, passesHost: [] },
    { what, protocol: "udp" as const, address, port: 8022, passesHost: [] },
    { what, protocol: "icmp" as const, address, passesHost: [] },
  ]),
  ...[block.egressAddress, hostAddress, block.slotAddresses(0).hostAddress].map((address) => ({
    ...{ what: "a service of the host", protocol: "tcp" as const, address, port: hostServicePort },
    passesHost: [],
  })),
  {
    ...{ what: "another slot", protocol: "tcp", passesHost: [] },
    ...{ address: agentAddress, port: 7070 },
  },
];

describe("a process of QEMU's user in a slot", () => {
  const host = createSlotHost({ installationId, block, deniedRanges: [] });
  const slots = createSlots({ installationId, block, host });
  const hostNetwork = createHostNetwork({
    egressProxyCount: 1,
    clientUserId: 0,
    deniedRanges: [],
    installationId,
    block,
    markerPath: `/run/opencomputer-${installationId}-forwarding`,
  });
  const closing: (() => Promise<void> | void)[] = [];
  let slot: Slot;

  const removeHostRules = () =>
    runProgram("nft", ["delete", "table", "inet", hostTableName(installationId)]);

  async function reached(): Promise<string[]> {
    const outcomes = await reachFromEscapedProcess(slot, targets);
    return targets.filter((_, index) => outcomes[index]).map(describeTarget);
  }

  before(async () => {
    await hostNetwork.setUp();
    closing.push(() => hostNetwork.tearDown());
    const addresses = [publicAddress, privateAddress, linkLocalAddress];
    const internet = await attachInternet(internetName, hostAddress, addresses);
    closing.push(internet.close);
    // Replies are routed back also without the host's address translation.
    const route = ["route", "add", block.cidr, "via", hostAddress];
    await runProgram("ip", ["-n", internetName, ...route]);
    const places = addresses.flatMap((address) =>
      [443, 80, 8022, 53].map((port) => `${address}:${port}`),
    );
    closing.push((await serveInNamespace(internetName, places)).close);
    closing.push((await serveAsProxy(block.egressAddress)).close);
    closing.push(() => void hostService.close());
    slot = await slots.open();
    const neighbour = await slots.open();
    closing.push(async () => {
      await slots.close(slot);
      await slots.close(neighbour);
    });
    await removeSlotRules(neighbour);
    closing.push((await serveInNamespace(neighbour.name, [`${agentAddress}:7070`])).close);
  });

  after(async () => {
    for (const close of closing.reverse()) await close();
  });

  test("control: without any rules it reaches every target", async () => {
    await removeSlotRules(slot);
    await removeHostRules();
    assert.deepEqual(await reached(), targets.map(describeTarget));
    await hostNetwork.setUp();
  });

  for (const mode of modes) {
    test(`${mode}: it reaches nothing`, async () => {
      await slots.setMode(slot, mode);
      assert.deepEqual(await reached(), []);
    });

    test(`${mode}, the slot's rules alone: it reaches nothing`, async () => {
      await slots.setMode(slot, mode);
      await removeHostRules();
      try {
        assert.deepEqual(await reached(), []);
      } finally {
        await hostNetwork.setUp();
      }
    });

    test(`${mode}, the host's rules alone: it reaches what the policy opens`, async () => {
      await slots.setMode(slot, mode);
      await removeSlotRules(slot);
      const allowed = targets.filter(({ passesHost }) => passesHost.includes(mode));
      assert.deepEqual(await reached(), allowed.map(describeTarget));
      // As a restarted worker does: the mode is the slot's, not the rules'.
      await hostNetwork.setUp();
      assert.deepEqual(await reached(), allowed.map(describeTarget));
    });
  }

  test("a mode is removed with its slot: the next one of the same index is closed on both sides", async () => {
    await slots.setMode(slot, "open");
    assert.equal(await hostGroupOf(slot), hostInterfaceGroups.open);
    const { index } = slot;
    await slots.close(slot);
    slot = await slots.open();
    assert.equal(slot.index, index);
    assert.equal(await hostGroupOf(slot), hostInterfaceGroups.closed);
    await removeSlotRules(slot);
    assert.deepEqual(await reached(), []);
  });

  test("closing an open slot again closes both sides", async () => {
    await slots.setMode(slot, "open");
    await slots.setMode(slot, "closed");
    assert.equal(await hostGroupOf(slot), hostInterfaceGroups.closed);
    assert.deepEqual(await reached(), []);
  });

  test("a guest whose slot has no rules reaches nothing: the host does not route its address", async () => {
    await slots.setMode(slot, "open");
    const guest = await attachStandInGuest(slot);
    try {
      assert.equal(await guest.tcp(publicAddress, 8022), "reached");
      await removeSlotRules(slot);
      assert.equal(await guest.tcp(publicAddress, 8022), "silent");
      assert.equal(await guest.tcp(block.egressAddress, egressPorts.tls), "silent");
    } finally {
      await guest.close();
    }
  });
});

function describeTarget({ what, protocol, address, port }: (typeof targets)[number]): string {
  return `${what} (${protocol} ${address}${port === undefined ? "" : `:${port}`})`;
}
