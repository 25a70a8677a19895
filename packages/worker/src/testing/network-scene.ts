import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { egressPorts, guestNetwork } from "@opencomputer/protocol";
import { z } from "zod";
import type { Slot } from "../network/slot.ts";
import { runProgram } from "../process/run-program.ts";

/** How an attempt to reach an address ended, as the guest sees it. */
const outcomeSchema = z.enum(["reached", "refused", "silent"]);
type Outcome = z.infer<typeof outcomeSchema>;

/** A network namespace in the place of a virtual machine, behind a slot's `tap0`. */
export interface StandInGuest {
  tcp(address: string, port: number, sourceAddress?: string): Promise<Outcome>;
  udp(address: string, port: number): Promise<Outcome>;
  close(): Promise<void>;
}

/** How long silence lasts before it is called so. Refusals come within milliseconds. */
const silenceMilliseconds = 1500;

/** Not of the installation's names, so that nothing takes it for a slot. */
export function standInGuestName(slot: Slot): string {
  return `guest-${slot.name}`;
}

/** Replaces a slot's tap device, which only QEMU can use, by a veth of the same name and addresses. */
export async function attachStandInGuest(slot: Slot): Promise<StandInGuest> {
  const name = standInGuestName(slot);
  const { guestAddress, gatewayAddress, prefixLength, guestMacAddress } = guestNetwork;
  await runProgram("ip", ["-batch", "-"], { input: `netns add ${name}\n` });
  await runProgram("ip", ["-n", slot.name, "-batch", "-"], {
    input: `link del tap0
link add tap0 type veth peer name eth0 netns ${name}
addr add ${gatewayAddress}/${prefixLength} dev tap0
link set tap0 up
neigh add ${guestAddress} lladdr ${guestMacAddress} dev tap0 nud permanent
`,
  });
  await runProgram("ip", ["-n", name, "-batch", "-"], {
    input: `link set eth0 address ${guestMacAddress}
addr add ${guestAddress}/${prefixLength} dev eth0
link set lo up
link set eth0 up
route add default via ${gatewayAddress}
`,
  });
  const attempt = async (script: string) => outcomeSchema.parse((await runIn(name, script)).trim());
  return {
    tcp: (address, port, sourceAddress) => attempt(tcpAttempt(address, port, sourceAddress)),
    udp: (address, port) => attempt(udpAttempt(address, port)),
    async close() {
      await runProgram("ip", ["netns", "del", name]);
    },
  };
}

/** Runs a Node script in a network namespace; its standard output. */
export function runIn(namespace: string, script: string): Promise<string> {
  return runProgram("nsenter", [`--net=/run/netns/${namespace}`, process.execPath, "-e", script]);
}

function tcpAttempt(address: string, port: number, sourceAddress: string | undefined): string {
  return `const socket = require("node:net").connect({ host: "${address}", port: ${port}, ${
    sourceAddress === undefined ? "" : `localAddress: "${sourceAddress}"`
  } });
const end = (outcome) => { console.log(outcome); process.exit(); };
socket.on("connect", () => end("reached"));
socket.on("error", (error) => end(error.code === "ETIMEDOUT" ? "silent" : "refused"));
setTimeout(() => end("silent"), ${silenceMilliseconds});`;
}

function udpAttempt(address: string, port: number): string {
  return `const socket = require("node:dgram").createSocket("udp4");
const end = (outcome) => { console.log(outcome); process.exit(); };
socket.on("message", () => end("reached"));
socket.on("error", () => end("refused"));
socket.connect(${port}, "${address}", () => socket.send("?"));
setTimeout(() => end("silent"), ${silenceMilliseconds});`;
}

/** Answers on the proxy's ports, and tells who called. */
export async function serveAsProxy(egressAddress: string) {
  const callers: string[] = [];
  const servers: Server[] = [];
  for (const port of Object.values(egressPorts)) {
    const server = createServer((socket) => {
      callers.push(`tcp ${socket.localPort} from ${socket.remoteAddress}`);
      socket.on("error", () => socket.destroy());
      socket.end();
    });
    server.listen(port, egressAddress);
    await once(server, "listening");
    servers.push(server);
  }
  const resolver = createSocket("udp4");
  resolver.on("message", (question, { address, port }) => {
    callers.push(`udp ${egressPorts.dns} from ${address}`);
    resolver.send(question, port, address);
  });
  resolver.bind(egressPorts.dns, egressAddress);
  await once(resolver, "listening");
  return {
    /** Who called since the last time this was asked. */
    takeCallers: () => callers.splice(0),
    close() {
      for (const server of servers) server.close();
      resolver.close();
    },
  };
}

/** A namespace beyond the host with public and private addresses, which answers on every port tried. */
export async function attachInternet(
  name: string,
  hostAddress: string,
  addresses: readonly string[],
) {
  const ownAddress = hostAddress.replace(/\.1$/, ".2");
  await runProgram("ip", ["-batch", "-"], {
    input: `netns add ${name}
link add ${name} type veth peer name eth0 netns ${name}
addr add ${hostAddress}/30 dev ${name}
link set ${name} up
`,
  });
  await runProgram("ip", ["-n", name, "-batch", "-"], {
    input: `link set lo up
addr add ${ownAddress}/30 dev eth0
link set eth0 up
${addresses.map((address) => `addr add ${address}/32 dev lo`).join("\n")}
`,
  });
  await runProgram("ip", ["-batch", "-"], {
    input: addresses.map((address) => `route add ${address}/32 via ${ownAddress}\n`).join(""),
  });
  return {
    async close() {
      await runProgram("ip", ["-batch", "-"], { input: `link del ${name}\nnetns del ${name}\n` });
    },
  };
}
