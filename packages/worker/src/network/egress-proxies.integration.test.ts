import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { egressPortsOf, egressProxyOf } from "@opencomputer/protocol/wire";
import { reachFromEscapedProcess, removeSlotRules } from "../testing/escaped-process.ts";
import {
  attachStandInGuest,
  runIn,
  type StandInGuest,
  serveAsProxy,
  serveStreams,
  standInGuestName,
  testInstallation,
} from "../testing/network-scene.ts";
import { createHostNetwork } from "./create-host-network.ts";
import { createSlotHost } from "./create-slot-host.ts";
import { createSlots } from "./create-slots.ts";
import { parseNetworkBlock } from "./network-block.ts";
import type { Slot } from "./slot.ts";

const { installationId, block: cidr } = await testInstallation();
const block = parseNetworkBlock(cidr);
const { egressAddress } = block;
const publicAddress = `44.136.${randomInt(256)}.9`;
const proxyCount = 2;

interface Placed {
  slot: Slot;
  guest: StandInGuest;
  /** The index of its proxy. */
  own: number;
}

describe("several egress proxies of one host", () => {
  const host = createSlotHost({ installationId, block, deniedRanges: [] });
  const slots = createSlots({ installationId, block, host });
  const networkOf = (egressProxyCount: number) =>
    createHostNetwork({
      ...{ egressProxyCount, clientUserId: 0, deniedRanges: [], installationId, block },
      markerPath: `/run/opencomputer-${installationId}-forwarding`,
    });
  const proxies: Awaited<ReturnType<typeof serveAsProxy>>[] = [];
  const placed: Placed[] = [];

  before(async () => {
    await networkOf(proxyCount).setUp();
    for (let index = 0; index < proxyCount; index += 1) {
      proxies.push(await serveAsProxy(egressAddress, index));
      const slot = await slots.open();
      const own = egressProxyOf(slot.slotAddress, proxyCount);
      placed.push({ slot, own, guest: await attachStandInGuest(slot) });
    }
    assert.deepEqual(new Set(placed.map(({ own }) => own)), new Set([0, 1]));
  });
  after(async () => {
    for (const proxy of proxies) proxy.close();
    for (const { slot, guest } of placed) {
      await guest.close();
      await slots.close(slot);
    }
    await networkOf(1).tearDown();
  });

  /** Who called each proxy since the last time. */
  const takeCallers = () => proxies.map((proxy) => proxy.takeCallers());
  const onlyAt = (index: number, callers: string[]) =>
    proxies.map((_, other) => (other === index ? callers : []));

  test("HTTPS, plain HTTP and the resolver of a slot are those of its proxy", async () => {
    for (const { slot, guest, own } of placed) {
      await slots.setMode(slot, "allowlisted");
      for (const port of [443, 80, 53]) {
        assert.equal(await guest.tcp(publicAddress, port), "reached");
      }
      assert.equal(await guest.udp(publicAddress, 53), "reached");
      const ports = egressPortsOf(own);
      const expected = [
        ...[ports.tls, ports.http, ports.dns].map((port) => `tcp ${port} from ${slot.slotAddress}`),
        `udp ${ports.dns} from ${slot.slotAddress}`,
      ];
      assert.deepEqual(takeCallers(), onlyAt(own, expected));
    }
  });

  test("code that broke out of a guest reaches its proxy, and no other", async () => {
    for (const { slot, own } of placed) {
      await slots.setMode(slot, "intercepted");
      await removeSlotRules(slot);
      const targets = proxies.flatMap((_, index) => {
        const { tls, http, dns } = egressPortsOf(index);
        return [
          ...[tls, http, dns].map((port) => ({ protocol: "tcp" as const, port })),
          { protocol: "udp" as const, port: dns },
        ].map((target) => ({ ...target, index, address: egressAddress }));
      });
      const reached = await reachFromEscapedProcess(slot, targets);
      // The ports of the first are the ones that every slot sends to.
      assert.deepEqual(
        reached,
        targets.map(({ index }) => index === own || index === 0),
      );
      const others = takeCallers().filter((_, index) => index !== own);
      assert.deepEqual(others, [[]]);
    }
  });

  test("a flow of questions goes to the proxy that the slot has after a start with another number", async () => {
    const { slot } = placed.find(({ own }) => own === 1) ?? assert.fail("no slot is at the second");
    await slots.setMode(slot, "allowlisted");
    const ask = () => runIn(standInGuestName(slot), askFromOnePort(publicAddress));
    const atSecond = [`udp ${egressPortsOf(1).dns} from ${slot.slotAddress}`];
    const atFirst = [`udp ${egressPortsOf(0).dns} from ${slot.slotAddress}`];
    takeCallers();
    assert.match(await ask(), /reached/);
    assert.deepEqual(takeCallers(), [[], atSecond]);
    await networkOf(1).setUp();
    assert.match(await ask(), /reached/);
    assert.deepEqual(takeCallers(), [atFirst, []]);
    await networkOf(proxyCount).setUp();
    assert.match(await ask(), /reached/);
    assert.deepEqual(takeCallers(), [[], atSecond]);
  });
});

describe("streams to several egress proxies", () => {
  const closing: (() => Promise<void> | void)[] = [];
  after(async () => {
    for (const close of closing.reverse()) await close();
  });

  test("a connection to an open port goes to the slot's proxy with its address", async () => {
    const installation = await testInstallation();
    const own = { ...installation, block: parseNetworkBlock(installation.block) };
    const slots = createSlots({ ...own, host: createSlotHost({ ...own, deniedRanges: [] }) });
    const network = createHostNetwork({
      ...{ ...own, egressProxyCount: proxyCount, clientUserId: 0, deniedRanges: [] },
      markerPath: `/run/opencomputer-${own.installationId}-forwarding`,
    });
    closing.push(() => network.tearDown());
    await network.setUp();
    const servers: Awaited<ReturnType<typeof serveStreams>>[] = [];
    for (let index = 0; index < proxyCount; index += 1) {
      const server = await serveStreams(own.block.egressAddress, index);
      closing.push(server.close);
      servers.push(server);
    }
    for (let count = 0; count < proxyCount; count += 1) {
      const slot = await slots.open();
      closing.push(() => slots.close(slot));
      const guest = await attachStandInGuest(slot);
      closing.push(guest.close);
      await slots.setMode(slot, "allowlisted", [8022]);
      assert.equal(await guest.tcp(publicAddress, 8022), "reached");
      const server = servers[egressProxyOf(slot.slotAddress, proxyCount)];
      assert.equal(await server?.nextCaller(), `${publicAddress}:8022 from ${slot.slotAddress}`);
      assert.equal(await guest.tcp(publicAddress, 8023), "refused");
    }
  });
});

/** Sends a question from the same port each time, as a resolver that keeps its socket does. */
function askFromOnePort(address: string): string {
  return `const socket = require("node:dgram").createSocket("udp4");
const end = (outcome) => { console.log(outcome); process.exit(); };
socket.on("message", () => end("reached")).on("error", () => end("refused"));
socket.bind(40053, () => socket.send("?", 53, "${address}"));
setTimeout(() => end("silent"), 1500);`;
}
