import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { runProgram } from "../process/run-program.ts";
import {
  attachInternet,
  attachStandInGuest,
  holdConnection,
  plugStandInGuest,
  runIn,
  type StandInGuest,
  serveAsProxy,
  serveInNamespace,
  standInGuestName,
  testInstallation,
  unplugStandInGuest,
} from "../testing/network-scene.ts";
import { createHostNetwork } from "./create-host-network.ts";
import { createSlotHost } from "./create-slot-host.ts";
import { createSlots } from "./create-slots.ts";
import { parseNetworkBlock } from "./network-block.ts";
import type { Slot } from "./slot.ts";
import type { SlotMode } from "./slot-rules.ts";

const installation = await testInstallation();
const { installationId } = installation;
const block = parseNetworkBlock(installation.block);
const internetName = `inet-${installationId}`;
const scene = randomInt(256);
const hostAddress = `44.128.${scene}.1`;
const publicAddress = `44.130.${scene}.9`;
const privateAddress = `10.77.${scene}.9`;
/** On the internet, and in a range that the operator denies. */
const deniedAddress = `44.131.${scene}.9`;
const deniedRanges = [`44.131.${scene}.0/24`, "2001:db8::/32"];
const echoPort = 8023;
const hostService = createServer((socket) => socket.end()).listen(0, "0.0.0.0");
await once(hostService, "listening");
const { port: hostServicePort } = hostService.address() as AddressInfo;

/** What a guest can reach in each mode. Denied packets must be rejected: dropping them would hang programs. */
const table: {
  what: string;
  protocol: "tcp" | "udp";
  address: string;
  port: number;
  reached: readonly SlotMode[];
  /** Reached at the proxy, not at the requested address. */
  atProxy?: readonly SlotMode[];
}[] = [
  {
    what: "HTTPS",
    protocol: "tcp",
    address: publicAddress,
    port: 443,
    reached: ["open", "intercepted", "allowlisted"],
    atProxy: ["intercepted", "allowlisted"],
  },
  {
    what: "plain HTTP",
    protocol: "tcp",
    address: publicAddress,
    port: 80,
    reached: ["open", "intercepted", "allowlisted"],
    atProxy: ["intercepted", "allowlisted"],
  },
  {
    what: "another TCP port",
    protocol: "tcp",
    address: publicAddress,
    port: 8022,
    reached: ["open", "intercepted"],
  },
  { what: "QUIC", protocol: "udp", address: publicAddress, port: 443, reached: ["open"] },
  {
    what: "another UDP port",
    protocol: "udp",
    address: publicAddress,
    port: 8022,
    reached: ["open", "intercepted"],
  },
  {
    what: "a resolver by UDP, whichever was asked for",
    protocol: "udp",
    address: publicAddress,
    port: 53,
    reached: ["open", "intercepted", "allowlisted"],
    atProxy: ["open", "intercepted", "allowlisted"],
  },
  {
    what: "a resolver by TCP, whichever was asked for",
    protocol: "tcp",
    address: privateAddress,
    port: 53,
    reached: ["open", "intercepted", "allowlisted"],
    atProxy: ["open", "intercepted", "allowlisted"],
  },
  {
    what: "the gateway's HTTPS",
    protocol: "tcp",
    address: "169.254.0.1",
    port: 443,
    reached: ["open", "intercepted", "allowlisted"],
    atProxy: ["open", "intercepted", "allowlisted"],
  },
  {
    what: "the gateway's plain HTTP",
    protocol: "tcp",
    address: "169.254.0.1",
    port: 80,
    reached: ["open", "intercepted", "allowlisted"],
    atProxy: ["open", "intercepted", "allowlisted"],
  },
  {
    what: "the metadata service",
    protocol: "tcp",
    address: "169.254.169.254",
    port: 80,
    reached: ["open", "intercepted", "allowlisted"],
    atProxy: ["open", "intercepted", "allowlisted"],
  },
  {
    what: "the metadata service's port at its own address",
    protocol: "tcp",
    address: block.egressAddress,
    port: 8254,
    reached: [],
  },
  { what: "a private address", protocol: "tcp", address: privateAddress, port: 8022, reached: [] },
  {
    what: "the proxy's port at its own address",
    protocol: "tcp",
    address: block.egressAddress,
    port: 8443,
    reached: [],
  },
  {
    what: "another service at the egress address",
    protocol: "tcp",
    address: block.egressAddress,
    port: hostServicePort,
    reached: [],
  },
  {
    what: "an address that the operator denies",
    protocol: "tcp",
    address: deniedAddress,
    port: 8022,
    reached: [],
  },
  {
    what: "the host's public address",
    protocol: "tcp",
    address: hostAddress,
    port: hostServicePort,
    reached: [],
  },
  {
    what: "the metadata address",
    protocol: "tcp",
    address: "169.254.169.254",
    port: 8022,
    reached: [],
  },
  {
    what: "the agent port of the gateway",
    protocol: "tcp",
    address: "169.254.0.1",
    port: 7070,
    reached: [],
  },
];

describe("network slots", () => {
  const host = createSlotHost({ installationId, block, deniedRanges });
  const slots = createSlots({ installationId, block, host });
  const hostNetwork = createHostNetwork({
    egressProxyCount: 1,
    clientUserId: 0,
    deniedRanges,
    installationId,
    block,
    markerPath: `/run/opencomputer-${installationId}-forwarding`,
  });
  let internet: Awaited<ReturnType<typeof attachInternet>>;
  let internetServer: Awaited<ReturnType<typeof serveInNamespace>>;
  let proxy: Awaited<ReturnType<typeof serveAsProxy>>;
  let slot: Slot;
  let otherSlot: Slot;
  let guest: StandInGuest;
  let otherGuest: StandInGuest;
  let forwardingBefore: string;

  before(async () => {
    forwardingBefore = await readFile("/proc/sys/net/ipv4/ip_forward", "utf8");
    await hostNetwork.setUp();
    internet = await attachInternet(internetName, hostAddress, [
      publicAddress,
      privateAddress,
      deniedAddress,
    ]);
    internetServer = await serveInNamespace(internetName, [
      ...[443, 80, 8022, 53].flatMap((port) => [
        `${publicAddress}:${port}`,
        `${privateAddress}:${port}`,
        `${deniedAddress}:${port}`,
      ]),
      `${publicAddress}:${echoPort}:echo`,
    ]);
    proxy = await serveAsProxy(block.egressAddress);
    slot = await slots.open();
    otherSlot = await slots.open();
    guest = await attachStandInGuest(slot);
    otherGuest = await attachStandInGuest(otherSlot);
  });

  after(async () => {
    hostService.close();
    proxy.close();
    internetServer.close();
    await guest.close();
    await otherGuest.close();
    await internet.close();
    await slots.close(slot);
    await slots.close(otherSlot);
    await hostNetwork.tearDown();
  });

  for (const mode of ["closed", "open", "intercepted", "allowlisted"] as const) {
    // Each waits for a response that does not come, and the proxy has no caller to tell from another.
    const concurrency = mode === "closed" ? 6 : 1;
    describe(mode, { concurrency }, () => {
      before(async () => {
        await slots.setMode(slot, mode);
        proxy.takeCallers();
      });

      for (const { what, protocol, address, port, reached, atProxy } of table) {
        const refused = mode === "closed" ? "silent" : "refused";
        const expected = reached.includes(mode) ? "reached" : refused;
        test(`${what} (${protocol} ${address}:${port}) is ${expected}`, async () => {
          assert.equal(await guest[protocol](address, port), expected);
          const callers = proxy.takeCallers();
          if (atProxy?.includes(mode) === true) {
            assert.equal(callers.length, 1);
            assert.ok(callers[0]?.endsWith(`from ${slot.slotAddress}`), callers[0]);
          } else {
            assert.deepEqual(callers, []);
          }
        });
      }
    });
  }

  /**
   * What a machine does on a connection that it had before it was saved: its
   * slot is a new one of the same addresses, and the host still knows the flow.
   */
  const lost: { what: string; port: number; sent: "bytes" | "end"; modes: SlotMode[] }[] = [
    { what: "bytes", port: echoPort, sent: "bytes", modes: ["open", "intercepted"] },
    { what: "an end", port: echoPort, sent: "end", modes: ["open", "intercepted"] },
    {
      what: "bytes for the proxy",
      port: 443,
      sent: "bytes",
      modes: ["intercepted", "allowlisted"],
    },
  ];

  async function moveToNewSlot(mode: SlotMode): Promise<void> {
    const { index } = slot;
    await unplugStandInGuest(slot);
    await slots.close(slot);
    slot = await slots.open();
    assert.equal(slot.index, index);
    await slots.setMode(slot, mode);
    await plugStandInGuest(slot);
  }

  for (const { what, port, sent, modes } of lost) {
    for (const mode of modes) {
      test(`${mode}: ${what} on a connection from before the restore is rejected with a reset`, async () => {
        await slots.setMode(slot, mode);
        const connection = await holdConnection(slot, publicAddress, port);
        await moveToNewSlot(mode);
        assert.equal(await connection.send(sent), "reset");
        assert.equal(await guest.tcp(publicAddress, port), "reached");
      });
    }
  }

  for (const [mode, reply] of [
    ["closed", "silent"],
    ["allowlisted", "reset"],
  ] as const) {
    test(`${mode}: bytes on a connection from a more open mode are ${reply === "reset" ? "rejected with a reset" : "dropped"}`, async () => {
      await slots.setMode(slot, "open");
      const connection = await holdConnection(slot, publicAddress, echoPort);
      await moveToNewSlot(mode);
      assert.equal(await connection.send("bytes"), reply);
    });
  }

  test("a connection of the same slot continues, also when its rules are loaded again", async () => {
    await slots.setMode(slot, "open");
    const [first, second] = [
      await holdConnection(slot, publicAddress, echoPort),
      await holdConnection(slot, publicAddress, echoPort),
    ];
    await slots.setMode(slot, "open");
    assert.equal(await first.send("bytes"), "echoed");
    assert.equal(await second.send("end"), "ended");
  });

  test("a segment beyond its connection's window is left to that connection", async () => {
    const setting = "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal";
    const script = `console.log(require("node:fs").readFileSync("${setting}", "utf8"))`;
    assert.equal((await runIn(slot.name, script)).trim(), "1");
  });

  test("the gateway replies to its guest's pings, and reports a packet whose TTL is exceeded", async () => {
    await slots.setMode(slot, "allowlisted");
    const name = standInGuestName(slot);
    const ping = (...more: string[]) =>
      runProgram("nsenter", [`--net=/run/netns/${name}`, "busybox", "ping", "-c", "1", ...more]);
    assert.match(await ping("-W", "1", "169.254.0.1"), /1 packets received/);
    const traced = runProgram("nsenter", [
      `--net=/run/netns/${name}`,
      ...["busybox", "traceroute", "-n", "-m", "1", "-q", "1", "-w", "1", publicAddress],
    ]);
    assert.match(await traced, /^ 1 {2}169\.254\.0\.1 /m);
  });

  test("packets of a guest that uses another address are dropped", async () => {
    await slots.setMode(slot, "open");
    const name = standInGuestName(slot);
    await runProgram("ip", ["-n", name, "addr", "add", "172.20.0.9/32", "dev", "eth0"]);
    await runProgram("ip", [
      "-n",
      name,
      "addr",
      "add",
      `${otherSlot.slotAddress}/32`,
      "dev",
      "eth0",
    ]);
    assert.equal(await guest.tcp(publicAddress, 8022, "172.20.0.9"), "silent");
    assert.equal(await guest.tcp(publicAddress, 443, otherSlot.slotAddress), "silent");
    assert.equal(await guest.tcp(publicAddress, 8022), "reached");
  });

  test("two sandboxes differ at the proxy, and cannot reach each other", async () => {
    await slots.setMode(slot, "intercepted");
    await slots.setMode(otherSlot, "intercepted");
    proxy.takeCallers();
    await guest.tcp(publicAddress, 443);
    await otherGuest.tcp(publicAddress, 443);
    const [first, second] = proxy.takeCallers();
    assert.equal(first, `tcp 8443 from ${slot.slotAddress}`);
    assert.equal(second, `tcp 8443 from ${otherSlot.slotAddress}`);
    for (const port of [7070, 443, 22]) {
      assert.notEqual(
        await guest.tcp(otherSlot.slotAddress, port),
        port === 443 ? "silent" : "reached",
      );
    }
    assert.deepEqual(
      proxy.takeCallers().filter((caller) => !caller.includes(slot.slotAddress)),
      [],
    );
  });

  test("connections to the proxy beyond a rate are reset, and those of another sandbox are not", async () => {
    const burst = serviceLimits.egressNewConnectionsBurstMax;
    const flood = runIn(
      standInGuestName(slot),
      `const net = require("node:net");
let reached = 0;
const next = () => {
  const socket = net.connect({ host: "${publicAddress}", port: 443 });
  socket.once("connect", () => { reached += 1; socket.destroy(); next(); });
  socket.once("error", () => { console.log(reached); process.exit(); });
};
for (let atOnce = 0; atOnce < 100; atOnce += 1) next();
setTimeout(() => console.log("no reset after", reached), 30_000).unref();`,
    );
    const other = await otherGuest.tcp(publicAddress, 443);
    const reached = Number(await flood);
    assert.equal(other, "reached");
    assert.ok(
      reached >= burst,
      `${reached} were reached before one was reset, of ${burst} at once`,
    );
    proxy.takeCallers();
  });

  test("questions by UDP beyond a rate are dropped, and those of another sandbox are not", async () => {
    await slots.setMode(slot, "intercepted");
    await slots.setMode(otherSlot, "intercepted");
    proxy.takeCallers();
    const startedAt = performance.now();
    const flood = runIn(
      standInGuestName(slot),
      `const socket = require("node:dgram").createSocket("udp4");
let [asked, answered] = [0, 0];
socket.on("message", () => { answered += 1; });
socket.connect(53, "${publicAddress}", () => {
  const askSome = () => {
    for (let some = 0; some < 50; some += 1) { socket.send("?"); asked += 1; }
    if (asked < 50_000) return setImmediate(askSome);
    setTimeout(() => { console.log(answered); process.exit(); }, 500);
  };
  askSome();
});`,
    );
    const others: string[] = [];
    for (let round = 0; round < 10; round += 1) {
      others.push(await otherGuest.udp(publicAddress, 53));
    }
    assert.ok(Number(await flood) > 0, "those within the rate are answered");
    const { dnsMessagesBurstMax, dnsMessagesPerSecondMax } = serviceLimits;
    const seconds = (performance.now() - startedAt) / 1000;
    const allowed = dnsMessagesBurstMax + dnsMessagesPerSecondMax * seconds;
    const callers = proxy.takeCallers().filter((caller) => caller.endsWith(slot.slotAddress));
    assert.ok(callers.length <= allowed, `${callers.length} of ${allowed} reached the proxy`);
    assert.deepEqual(new Set(others), new Set(["reached"]));
  });

  test("root of the host reaches the ports of the guest; other users and other hosts do not", async () => {
    const places = ["169.254.0.2:7070", "169.254.0.2:7071"];
    const agent = await serveInNamespace(standInGuestName(slot), places);
    try {
      const connectFrom = (port: number, user?: number) =>
        runProgram("setpriv", [
          ...(user === undefined ? [] : [`--reuid=${user}`, `--regid=${user}`, "--clear-groups"]),
          process.execPath,
          "-e",
          `require("node:net").connect(${port}, "${slot.slotAddress}").on("data", (d) => { console.log("connected"); process.exit(); }).on("error", () => { console.log("refused"); process.exit(); }); setTimeout(() => { console.log("silent"); process.exit(); }, 1500)`,
        ]);
      assert.equal((await connectFrom(7070)).trim(), "connected");
      assert.equal((await connectFrom(7071)).trim(), "connected");
      for (const port of [7070, 7071]) {
        assert.notEqual((await connectFrom(port, 65534)).trim(), "connected");
      }
      const route = ["route", "add", `${slot.slotAddress}/32`, "via", hostAddress];
      await runProgram("ip", ["-n", internetName, ...route]);
      const fromOutside = await runIn(
        internetName,
        `require("node:net").connect(7070, "${slot.slotAddress}").on("connect", () => { console.log("reached"); process.exit(); }).on("error", () => { console.log("refused"); process.exit(); }); setTimeout(() => { console.log("silent"); process.exit(); }, 1500)`,
      );
      assert.notEqual(fromOutside.trim(), "reached");
    } finally {
      agent.close();
    }
  });

  test("the proxy cannot be reached from beyond the host", async () => {
    proxy.takeCallers();
    const name = internetName;
    const route = ["route", "add", `${block.egressAddress}/32`, "via", hostAddress];
    await runProgram("ip", ["-n", name, ...route]);
    const script = `require("node:net").connect(8443, "${block.egressAddress}").on("connect", () => { console.log("reached"); process.exit(); }).on("error", () => { console.log("refused"); process.exit(); }); setTimeout(() => { console.log("silent"); process.exit(); }, 1500)`;
    assert.notEqual((await runIn(name, script)).trim(), "reached");
    assert.deepEqual(proxy.takeCallers(), []);
  });

  test("IPv6 is off in a slot and on its interface of the host", async () => {
    const inside = await runProgram("ip", ["-n", slot.name, "-6", "addr"]);
    const outside = await runProgram("ip", ["-6", "addr", "show", "dev", slot.name]);
    assert.equal(inside.trim(), "");
    assert.equal(outside.trim(), "");
  });

  test("orphans of the installation are removed, and open slots are kept", async () => {
    const earlier = createSlots({ installationId, block, host });
    earlier.adopt(slot.index);
    earlier.adopt(otherSlot.index);
    const orphan = await earlier.open();
    await slots.closeOrphans();
    const namespaces = await runProgram("ip", ["netns", "list"]);
    const links = await runProgram("ip", ["-brief", "link"]);
    for (const text of [namespaces, links]) {
      assert.ok(text.includes(slot.name));
      assert.ok(text.includes(otherSlot.name));
      assert.ok(!text.includes(orphan.name));
    }
  });

  test("tearDown leaves nothing on the host", async () => {
    const other = await testInstallation();
    const network = createHostNetwork({
      egressProxyCount: 1,
      clientUserId: 0,
      deniedRanges,
      installationId: other.installationId,
      block: parseNetworkBlock(other.block),
      markerPath: `/run/opencomputer-${other.installationId}-forwarding`,
    });
    await network.setUp();
    await network.setUp();
    await network.tearDown();
    await network.tearDown();
    assert.ok(
      !(await runProgram("ip", ["addr"])).includes(parseNetworkBlock(other.block).egressAddress),
    );
    assert.ok(!(await runProgram("nft", ["list", "tables"])).includes(other.installationId));
    assert.ok(["0\n", "1\n"].includes(forwardingBefore));
  });
});
